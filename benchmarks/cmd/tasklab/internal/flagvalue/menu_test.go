package flagvalue_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
)

// After an error, a choice is as before.
func TestChoiceAfterAnError(t *testing.T) {
	c := settings.Scalers.Choose()
	if err := c.Set("step+stabilise"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "fast", "stabilise", "+stabilise", "step+", "step+demand", "step+fast+stabilise"} {
		if c.Set(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
	if c.String() != "step+stabilise" {
		t.Errorf("the choice is %s", c.String())
	}
}

func TestSelection(t *testing.T) {
	s := settings.Disciplines.Select("fifo")
	if err := errors.Join(s.Set("lifo, fair ,codel"), s.Set("codel,fifo")); err != nil {
		t.Fatal(err)
	}
	for list, want := range map[string]string{
		"":               `"": choose one of fifo, lifo, priority, deadline, fair, codel`,
		"fifo,":          `"": choose one of fifo`,
		"fifo,fast":      `"fast": choose one of fifo`,
		"fifo,lifo,fifo": `"fifo" is there twice`,
	} {
		if err := s.Set(list); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", list, err, want)
		}
	}
	if diff := cmp.Diff("codel,fifo", s.String()); diff != "" {
		t.Error("selection (-want +got):\n" + diff)
	}
}

package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestScalersAreMadeAnew(t *testing.T) {
	for _, name := range []string{"step", "probe+stabilise", "targetwait+tolerance+ratelimit"} {
		c := choose(scalers, scalerVariants...)
		if err := c.Set(name); err != nil {
			t.Fatal(err)
		}
		if c.value() == c.value() {
			t.Errorf("%s: two managers would share a scaler", c.name)
		}
	}
}

// Every strategy is one with which a manager starts.
func TestStrategiesAreValid(t *testing.T) {
	start := func(name string, option taskmanager.Option) {
		m, err := taskmanager.Start(option)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, s := range scalers {
		start(s.name, taskmanager.WithScaler(s.value()))
		for _, v := range scalerVariants {
			start(s.name+"+"+v.name, taskmanager.WithScaler(v.value(s.value)()))
		}
	}
	for _, r := range restarts {
		start(r.name, taskmanager.WithRestart(r.value()))
	}
	for _, d := range disciplines {
		start(d.name, taskmanager.WithQueue(d.value))
	}
}

func TestChoiceKeepsWhatItHasAfterAnError(t *testing.T) {
	c := choose(scalers, scalerVariants...)
	if err := c.Set("step+stabilise"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "fast", "stabilise", "+stabilise", "step+", "step+demand", "step+fast+stabilise"} {
		if c.Set(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
	if c.String() != "step+stabilise" {
		t.Errorf("the choice is %s", c.String())
	}
}

func TestSelection(t *testing.T) {
	s := selection[taskmanager.Discipline]{from: choose(disciplines)}
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

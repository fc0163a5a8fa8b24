package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestMailsDoNotWaitForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		started := map[string]int{} // at which ms
		for line := range strings.Lines(out.String()) {
			var at int
			var name string
			if _, err := fmt.Sscanf(line, "%d ms %s starts", &at, &name); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			started[name] = at
		}
		// Either video may be the first. Both images may get a slot before the second one.
		first := min(started["video/1"], started["video/2"])
		second := max(started["video/1"], started["video/2"])
		if first != 0 || second < 350 || second > 400 {
			t.Errorf("the videos started after %d and %d ms, want 0 and 350 to 400:\n%s", first, second, &out)
		}
		mails := []int{started["mail/1"], started["mail/2"], started["mail/3"]}
		if diff := cmp.Diff([]int{0, 100, 200}, mails); diff != "" {
			t.Errorf("starts of the mails, in ms (-want +got):\n%s", diff)
		}
		if min(started["image/1"], started["image/2"]) < 350 {
			t.Errorf("an image started before the video that waited for memory:\n%s", &out)
		}
	})
}

package main

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/source"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
)

func TestJSONOfTuneIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, doc, found := bytes.Cut(doc, []byte("# JSON of tune"))
	if !found {
		t.Fatal("the JSON of tune is not documented")
	}
	status, stdout, stderr := command(t, "tune", "-objective", "p95 wait <= 1s", "-shape", "poisson", "-rate", "20", "-jobs", "100", "-settings", "5", "-json")
	if status != subcommand.OK {
		t.Fatal(status, stderr)
	}
	for _, field := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(stdout, -1) {
		if !regexp.MustCompile(`(?m)^//\t.*\b` + field[1] + `\b`).Match(doc) {
			t.Errorf("field %s is not documented", field[1])
		}
	}
}

// The help of tune explains each name that a flag can be set to, and each column of the tables.
func TestHelpOfTune(t *testing.T) {
	_, help, _ := command(t, "tune", "-h")
	names := slices.Concat(settings.Disciplines.Names(), settings.Overflows.Names(), settings.Scalers.Names(), settings.Restarts.Names(),
		source.Shapes.Names(), source.Distributions.Names(), source.Formats.Names(),
		[]string{"min, max", "idle", "first", "second", "meets all", "jain"})
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^  (…\+)?` + name + `  `).MatchString(help) {
			t.Errorf("%s is not explained in the help:\n%s", name, help)
		}
	}
}

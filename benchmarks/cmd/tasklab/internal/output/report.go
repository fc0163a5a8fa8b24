package output

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
)

// Report is the result of a subcommand. Its JSON form is an interface for other
// programs, which the documentation of the program describes.
type Report interface {
	// Text returns the form for people.
	Text() string
}

// Format says in which form to write a report.
type Format struct{ JSON bool }

// Declare declares the flag.
func (f *Format) Declare(flags *flag.FlagSet) {
	flags.BoolVar(&f.JSON, "json", f.JSON, "print JSON instead of the table")
}

// Write writes a report.
func (f Format) Write(w io.Writer, r Report) error {
	var err error
	if f.JSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false) // keep paths readable
		e.SetIndent("", "  ")
		err = e.Encode(r)
	} else {
		_, err = io.WriteString(w, r.Text())
	}
	if err != nil {
		return fmt.Errorf("tasklab: write the report: %w", err)
	}
	return nil
}

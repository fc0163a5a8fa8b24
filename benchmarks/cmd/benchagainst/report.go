package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/benchagainst/internal/duel"
)

// report is the result of a comparison.
type report struct {
	Old, New string // the versions
	Results  []duel.Result
	oldHash  string
}

// versions describes what is compared.
func (r repository) versions(ctx context.Context, rev string) (rep report, err error) {
	hash, title, err := r.commit(ctx, rev)
	if err != nil {
		return rep, err
	}
	head, headTitle, err := r.commit(ctx, "HEAD")
	if err != nil {
		return rep, err
	}
	changed, err := r.changed(ctx)
	if err != nil {
		return rep, err
	}
	rep.oldHash = hash
	rep.Old = fmt.Sprintf("%.10s %s", hash, title)
	rep.New = fmt.Sprintf("%.10s %s", head, headTitle)
	if changed {
		rep.New = fmt.Sprintf("the working tree, which differs from %.10s %s", head, headTitle)
	}
	return rep, nil
}

// writeJSON writes all values.
func (rep report) writeJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "\t")
	return encoder.Encode(rep)
}

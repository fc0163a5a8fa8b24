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

// writeJSON writes all values and their summaries.
func (rep report) writeJSON(out io.Writer) error {
	type figure struct {
		duel.Figure

		Summary summary
	}
	type result struct {
		duel.Result

		Figures []figure
	}
	all := struct {
		Old, New string
		Results  []result
	}{rep.Old, rep.New, nil}
	for _, r := range rep.Results {
		figures := make([]figure, len(r.Figures))
		for i, f := range r.Figures {
			figures[i] = figure{f, summarise(f)}
		}
		all.Results = append(all.Results, result{r, figures})
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "\t")
	return encoder.Encode(all)
}

package tuning

import (
	"encoding/json"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/objective"
)

// The types below are the JSON form of a result, which the documentation of the program describes.
type (
	jsonResult struct {
		Workload    string      `json:"workload"`
		More        bool        `json:"workload_cut"`
		Objectives  []string    `json:"objectives"`
		Implied     []string    `json:"implied"`
		Minimise    string      `json:"minimise"`
		Margin      float64     `json:"margin"`
		Split       float64     `json:"split"`
		Seed        uint64      `json:"seed"`
		Parts       []jsonPart  `json:"parts"`
		Tried       int         `json:"settings_tried"`
		Simulated   int         `json:"jobs_simulated"`
		Interrupted bool        `json:"interrupted"`
		Met         bool        `json:"met"`
		MetSecond   bool        `json:"met_second"`
		Verdict     string      `json:"verdict"`
		Options     []string    `json:"options"`
		Choice      []jsonPair  `json:"choice"`
		Settings    []jsonTrial `json:"settings"`
	}
	jsonPart struct {
		Jobs    int     `json:"jobs"`
		Start   float64 `json:"start_s"`
		Length  float64 `json:"length_s"`
		Offered float64 `json:"offered_load"`
	}
	// jsonPair is a quantity of the choice on both parts. It is null where it was not evaluated.
	jsonPair struct {
		Quantity string   `json:"quantity"`
		First    *float64 `json:"first"`
		Second   *float64 `json:"second"`
	}
	jsonTrial struct {
		Queue  string       `json:"queue"`
		Scaler string       `json:"scaler"`
		Min    int          `json:"min"`
		Max    int          `json:"max"`
		Idle   float64      `json:"idle_timeout_s"`
		Chosen bool         `json:"chosen"`
		Front  bool         `json:"front"`
		First  jsonOutcome  `json:"first"`
		Second *jsonOutcome `json:"second"`
	}
	jsonOutcome struct {
		Jobs      int     `json:"jobs"`
		Cost      float64 `json:"cost"`
		Quantity  float64 `json:"quantity"`
		Violation float64 `json:"violation"`
		Stalled   bool    `json:"stalled"`
	}
)

// MarshalJSON implements [json.Marshaler].
func (r *Result) MarshalJSON() ([]byte, error) {
	j := jsonResult{
		Workload: r.Title, More: r.More, Objectives: texts(r.Objectives), Implied: texts(r.Implied), Minimise: r.Minimise.String(), Margin: r.Margin,
		Split: r.Split, Seed: r.Seed, Tried: len(r.Trials), Simulated: r.Simulated, Interrupted: r.Interrupted, Met: r.Met(),
		MetSecond: r.MetSecond(), Options: []string{}, Choice: []jsonPair{}, Settings: []jsonTrial{},
	}
	for _, p := range r.Parts {
		j.Parts = append(j.Parts, jsonPart{len(p.Jobs), p.Start.Seconds(), p.Length.Seconds(), p.Offered()})
	}
	if c := r.choice(); c != nil {
		j.Verdict, j.Options = r.Verdict(), c.Policy.Code(r.Restarts)
		j.Choice = r.pairs()
	}
	for _, t := range r.Trials {
		p := t.Policy
		j.Settings = append(j.Settings, jsonTrial{
			p.Queue.Name, p.Scaler.Name, p.Min, p.Max, p.Common.IdleTimeout.Seconds(), t.Chosen, t.Front, *r.outcome(&t.Outcome), r.outcome(t.Second),
		})
	}
	return json.Marshal(j)
}

// texts returns objectives as users write them.
func texts(objectives []objective.Objective) []string {
	all := []string{}
	for _, o := range objectives {
		all = append(all, o.String())
	}
	return all
}

// outcome returns the JSON form of an outcome.
func (r *Result) outcome(o *Outcome) *jsonOutcome {
	if o == nil {
		return nil
	}
	if o.Stalled {
		return &jsonOutcome{Stalled: true}
	}
	return &jsonOutcome{o.Jobs, seconds(r.Minimise, o.Cost), seconds(r.Objectives[0].Quantity, o.Quantity), o.Violation, false}
}

// pairs returns the quantities of the choice.
func (r *Result) pairs() (all []jsonPair) {
	for _, q := range r.quantities() {
		pair := jsonPair{Quantity: q.String()}
		for i, value := range []**float64{&pair.First, &pair.Second} {
			if r.Reports[i] != nil {
				v := seconds(q, q.Of(*r.Reports[i]))
				*value = &v
			}
		}
		all = append(all, pair)
	}
	return all
}

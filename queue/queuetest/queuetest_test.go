package queuetest

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"github.com/seed56799101/taskmanager/queue"
)

// subject is a queue that the suite has to accept or reject.
type subject struct {
	make  queue.Factory[*Item]
	opts  []Option
	rule  string // the subtest that must fail; empty if none may fail
	model bool   // use correct as the model
	alone bool   // run it in its own process, because it may crash
}

func correct() queue.Queue[*Item] { return new(base) }

func newTakesBack() queue.Queue[*Item] { return new(takesBack) }

var shared = new(base)

var subjects = map[string]subject{
	"correct":               {make: correct},
	"correctWithModel":      {make: correct, model: true},
	"correctLIFO":           {make: func() queue.Queue[*Item] { return new(stack) }},
	"correctClocked":        {make: func() queue.Queue[*Item] { return new(clocked) }, alone: true},
	"correctDrainer":        {make: func() queue.Queue[*Item] { return new(drains) }, alone: true},
	"ignoresDrain":          {make: func() queue.Queue[*Item] { return new(ignoresDrain) }, rule: "Conservation"},
	"correctHolder":         {make: func() queue.Queue[*Item] { return new(twoAtOnce) }},
	"correctFinisher":       {make: func() queue.Queue[*Item] { return new(takesBack) }, opts: []Option{WithModel(newTakesBack)}},
	"ignoresRan":            {make: func() queue.Queue[*Item] { return new(ignoresRan) }, opts: []Option{WithModel(newTakesBack)}, rule: "Conservation"},
	"needsNoTime":           {make: func() queue.Queue[*Item] { return new(needsNoTime) }},
	"holdsUnseen":           {make: func() queue.Queue[*Item] { return new(holdsUnseen) }, rule: "Conservation"},
	"discardsWithoutReason": {make: func() queue.Queue[*Item] { return new(discardsWithoutReason) }, rule: "Conservation"},
	"keepsEvicted":          {make: func() queue.Queue[*Item] { return new(keepsEvicted) }, rule: "Memory"},
	"evictsTheNewest":       {make: func() queue.Queue[*Item] { return new(evictsTheNewest) }, rule: "Conservation"},
	"pauses":                {make: func() queue.Queue[*Item] { return new(pauses) }, rule: "WorkConservation"},
	"heldWrong":             {make: func() queue.Queue[*Item] { return new(heldWrong) }, rule: "Conservation"},
	"withinItsBudget":       {make: func() queue.Queue[*Item] { return new(allocates) }, opts: []Option{WithAllocs(2)}},
	"aboveItsBudget":        {make: func() queue.Queue[*Item] { return new(allocates) }, opts: []Option{WithAllocs(1)}, rule: "Allocations"},
	"loses":                 {make: func() queue.Queue[*Item] { return new(loses) }, rule: "Conservation"},
	"losesQuietly":          {make: func() queue.Queue[*Item] { return new(losesQuietly) }, rule: "Conservation"},
	"duplicates":            {make: func() queue.Queue[*Item] { return new(duplicates) }, rule: "Conservation"},
	"swaps":                 {make: func() queue.Queue[*Item] { return new(swaps) }, rule: "Conservation"},
	"wrongLen":              {make: func() queue.Queue[*Item] { return new(wrongLen) }, rule: "Conservation"},
	"nilWhenEmpty":          {make: func() queue.Queue[*Item] { return new(nilWhenEmpty) }, rule: "Conservation"},
	"holdsBack":             {make: func() queue.Queue[*Item] { return new(holdsBack) }, rule: "Conservation"},
	"wrongOrder":            {make: func() queue.Queue[*Item] { return new(wrongOrder) }, rule: "Conservation", model: true},
	"LIFOAgainstAFIFO":      {make: func() queue.Queue[*Item] { return new(stack) }, rule: "Conservation", model: true},
	"removesTooFew":         {make: func() queue.Queue[*Item] { return new(removesTooFew) }, rule: "Conservation"},
	"removesTooMany":        {make: func() queue.Queue[*Item] { return new(removesTooMany) }, rule: "Conservation"},
	"asksTwice":             {make: func() queue.Queue[*Item] { return new(asksTwice) }, rule: "Conservation"},
	"forgetsToAsk":          {make: func() queue.Queue[*Item] { return new(forgetsToAsk) }, rule: "Conservation"},
	"miscounts":             {make: func() queue.Queue[*Item] { return new(miscounts) }, rule: "Conservation"},
	"reorders":              {make: func() queue.Queue[*Item] { return new(reorders) }, rule: "Conservation", model: true},
	"evictsNothing":         {make: func() queue.Queue[*Item] { return new(evictsNothing) }, rule: "Conservation"},
	"evictsACopy":           {make: func() queue.Queue[*Item] { return new(evictsACopy) }, rule: "Conservation"},
	"leaksSlots":            {make: func() queue.Queue[*Item] { return new(leaksSlots) }, rule: "Conservation"},
	"keepsSlots":            {make: func() queue.Queue[*Item] { return new(keepsSlots) }, rule: "Memory"},
	"keepsLast":             {make: func() queue.Queue[*Item] { return new(keepsLast) }, rule: "Memory"},
	"keepsLastOfAll":        {make: func() queue.Queue[*Item] { return new(keepsLastOfAll) }, rule: "Memory"},
	"allocates":             {make: func() queue.Queue[*Item] { return new(allocates) }, rule: "Allocations"},
	"sharesOneInstance":     {make: func() queue.Queue[*Item] { return shared }, rule: "Independence"},

	"correctPreviewer":    {make: func() queue.Queue[*Item] { return new(previews) }},
	"cannotPreview":       {make: func() queue.Queue[*Item] { return new(cannotPreview) }},
	"previewsTooMany":     {make: func() queue.Queue[*Item] { return new(previewsTooMany) }, rule: "Conservation"},
	"previewsTooFew":      {make: func() queue.Queue[*Item] { return new(previewsTooFew) }, rule: "Conservation"},
	"previewsBackwards":   {make: func() queue.Queue[*Item] { return new(previewsBackwards) }, rule: "Conservation"},
	"takesWhatItPreviews": {make: func() queue.Queue[*Item] { return new(takesWhatItPreviews) }, rule: "Conservation"},

	"correctFronter":                {make: func() queue.Queue[*Item] { return new(fronts) }},
	"correctFronterWithModel":       {make: func() queue.Queue[*Item] { return new(fronts) }, opts: []Option{WithModel(newFronts)}},
	"correctFronterAmongEquals":     {make: func() queue.Queue[*Item] { return new(frontsAmongEquals) }},
	"correctWithoutFront":           {make: func() queue.Queue[*Item] { return new(cannotFront) }},
	"correctFronterOfAModelWithout": {make: func() queue.Queue[*Item] { return new(frontsLikeNoModel) }, model: true},
	"frontsAmongEqualsAgainstAll":   {make: func() queue.Queue[*Item] { return new(frontsAmongEquals) }, opts: []Option{WithModel(newFronts)}, rule: "Conservation"},
	"frontsAtTheBack":               {make: func() queue.Queue[*Item] { return new(frontsAtTheBack) }, rule: "Conservation"},
	"frontsBehindTheHead":           {make: func() queue.Queue[*Item] { return new(frontsBehindTheHead) }, rule: "Conservation"},
	"frontsInOrder":                 {make: func() queue.Queue[*Item] { return new(frontsInOrder) }, rule: "Conservation"},
	"losesFronts":                   {make: func() queue.Queue[*Item] { return new(losesFronts) }, rule: "Conservation"},
	"duplicatesFronts":              {make: func() queue.Queue[*Item] { return new(duplicatesFronts) }, rule: "Conservation"},
	"forgetsFrontsInLen":            {make: func() queue.Queue[*Item] { return new(forgetsFrontsInLen) }, rule: "Conservation"},
	"keepsFronts":                   {make: func() queue.Queue[*Item] { return new(keepsFronts) }, rule: "Memory"},
	"correctDiscarderOfFronts":      {make: func() queue.Queue[*Item] { return &discardsFronts{discards: discards{reason: queue.ErrShed}} }},
	"discardsFrontsWithoutReason":   {make: func() queue.Queue[*Item] { return new(discardsFronts) }, rule: "Conservation"},
	"correctTicks":                  {make: func() queue.Queue[*Item] { return new(ticks) }, opts: []Option{WithAllocs(1)}, alone: true},
	"correctLender":                 {make: func() queue.Queue[*Item] { return new(lends) }},
	"correctLenderWithModel":        {make: func() queue.Queue[*Item] { return new(lends) }, opts: []Option{WithModel(newLends)}},
	"correctLenderWithoutFinish":    {make: func() queue.Queue[*Item] { return new(lendsUnfinished) }},
	"correctLenderOfAModelWithout":  {make: func() queue.Queue[*Item] { return new(lendsLikeNoModel) }, opts: []Option{WithModel(newTakesBack)}},
	"losesUnfinished":               {make: func() queue.Queue[*Item] { return new(losesUnfinished) }, rule: "Conservation"},
	"ignoresLent":                   {make: func() queue.Queue[*Item] { return new(ignoresLent) }, opts: []Option{WithModel(newLends)}, rule: "Conservation"},
	"keepsPlaces":                   {make: func() queue.Queue[*Item] { return new(keepsPlaces) }, opts: []Option{WithModel(newLends)}, rule: "Conservation"},
	"losesWhenLent":                 {make: func() queue.Queue[*Item] { return new(losesWhenLent) }, rule: "Conservation"},
	"sticks":                        {make: func() queue.Queue[*Item] { return new(sticks) }, rule: "Conservation"},
	"holdsLent":                     {make: func() queue.Queue[*Item] { return new(holdsLent) }, rule: "Conservation"},
	"heldTooManyWhenLent":           {make: func() queue.Queue[*Item] { return new(heldTooManyWhenLent) }, rule: "Conservation"},
	"keepsLent":                     {make: func() queue.Queue[*Item] { return new(keepsLent) }, rule: "Memory"},
	"correctDiscarderWhenLent":      {make: func() queue.Queue[*Item] { return &discardsWhenLent{discards: discards{reason: queue.ErrShed}} }},
	"discardsWhenLentWithoutReason": {make: func() queue.Queue[*Item] { return new(discardsWhenLent) }, rule: "Conservation"},
}

// stack is a correct LIFO without optional interfaces.
type stack struct{ b base }

func (q *stack) Push(i *Item)       { q.b.Push(i) }
func (q *stack) Len() int           { return q.b.Len() }
func (q *stack) Pop() (*Item, bool) { return q.b.Evict(queue.Worst) }

// judge is the environment variable that names the subjects for TestJudge: one subject, or
// all of them. The tests of mutants fail, so they run in a process of their own.
const judge = "QUEUETEST_SUBJECT"

// TestJudge runs the suite on the subjects.
func TestJudge(t *testing.T) {
	wanted := os.Getenv(judge)
	if wanted == "" {
		t.Skip("TestSuiteCatchesBrokenQueues runs this")
	}
	for name, s := range subjects {
		if wanted != name && (wanted != "all" || s.alone) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			opts := s.opts
			if s.model {
				opts = append(opts, WithModel(correct))
			}
			Run(t, s.make, opts...)
		})
	}
}

// judged runs TestJudge in another process. It returns the subjects and rules that failed.
func judged(t *testing.T, wanted string) (failed [][]string, out []byte, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestJudge$", "-test.v",
		"-rapid.nofailfile", "-rapid.shrinktime=0s", "-rapid.checks=100", "-rapid.steps=15")
	cmd.Env = append(os.Environ(), judge+"="+wanted)
	out, err = cmd.CombinedOutput()
	return failLine.FindAllStringSubmatch(string(out), -1), out, err
}

// failedRules returns the rules that a subject has failed.
func failedRules(matches [][]string, name string) []string {
	rules := []string{}
	for _, m := range matches {
		if m[1] == name {
			rules = append(rules, m[2])
		}
	}
	return rules
}

var failLine = regexp.MustCompile(`--- FAIL: TestJudge/(\w+)/(\w+) `)

// TestSuiteCatchesBrokenQueues checks that each mutant fails the rule that it breaks, and that
// correct queues pass.
func TestSuiteCatchesBrokenQueues(t *testing.T) {
	failed, out, _ := judged(t, "all") // an error is expected
	for name, s := range subjects {
		if s.alone {
			continue
		}
		rules := failedRules(failed, name)
		for range 9 { // some mutants fail few of the checks
			if s.rule == "" || slices.Contains(rules, s.rule) {
				break
			}
			again, _, _ := judged(t, name)
			rules = append(rules, failedRules(again, name)...)
		}
		if s.rule == "" && len(rules) > 0 {
			t.Errorf("%s fails %v, want it to pass", name, rules)
		}
		if s.rule != "" && !slices.Contains(rules, s.rule) {
			t.Errorf("%s fails %v, want %s among them", name, rules, s.rule)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// TestSuiteDrivesClockedQueues checks that the suite calls Tick before each call that needs it.
func TestSuiteDrivesClockedQueues(t *testing.T) {
	for _, name := range []string{"correctClocked", "correctTicks"} {
		if _, out, err := judged(t, name); err != nil {
			t.Errorf("a correct queue.Clocked, %s, does not pass: %v\n%.2000s", name, err, out)
		}
	}
}

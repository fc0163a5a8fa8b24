package e2edashboard_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// place is a page of the dashboard, with a text that it has when its data are there.
type place struct{ route, text string }

// places are all pages, with arguments that select something.
var places = []place{
	{"#/images/overview", "Longest running tasks"},
	{"#/images/overview?seconds=900", "The last 15 min"},
	{"#/images/tasks", victim},
	{"#/images/tasks?q=vict&state=running", "one task"},
	{"#/images/tasks?key=" + url.QueryEscape(hostile), "thumbnail/0"},
	{"#/images/task?name=" + url.QueryEscape(victim), "Cancel task"},
	{"#/images/task?name=" + url.QueryEscape(flaky), "attempt 3"},
	{"#/images/task?name=" + url.QueryEscape(hostile), hostile},
	{"#/images/task?name=" + url.QueryEscape(hidden), escaped},
	{"#/images/task?name=nobody", "Nothing is known of this task"},
	{"#/images/workers", "no. 1"},
	{"#/images/queue", "thumbnail/3"},
	{"#/images/keys", "tenant-1"},
	{"#/images/kinds", "resize"},
	{"#/images/failures", flaky},
	{"#/images/failures?outcome=success", "resize/done"},
	{"#/images/failures?name=panic", "resize/panic"},
	{"#/images/failures?outcome=panic", "resize/panic"},
	{"#/images/schedules", "Run now"},
	{"#/images/scaling", "Decisions"},
	{"#/" + url.PathEscape(shop) + "/overview", "No process runs the kind"},
	{"#/" + url.PathEscape(shop) + "/tasks", victim},
	{"#/" + url.PathEscape(shop) + "/tasks?q=vict&kind=" + url.QueryEscape(hostile), "1 task"},
	{"#/" + url.PathEscape(shop) + "/tasks?q=nobody", "No outstanding task fits"},
	{"#/" + url.PathEscape(shop) + "/dead", escaped},
	{"#/" + url.PathEscape(shop) + "/dead?kind=" + url.QueryEscape(hostile), "there may be more that fit"},
	{"#/" + url.PathEscape(mail) + "/overview", "none waits"},
	{"#/" + url.PathEscape(mail) + "/keys", "There is no collector"},
}

// sizes are those of a desktop computer and of a phone.
var sizes = map[string][2]int64{"1280": {1280, 900}, "390": {390, 844}}

// The pages of a program are the same at all sizes and in both themes, so one browser and one program
// serve all subtests.
func TestDashboard(t *testing.T) {
	b := browser(t)
	p := launch(t)
	p.fill()
	for size, pixels := range sizes {
		for _, theme := range []string{"light", "dark"} {
			t.Run("pages at "+size+" "+theme, func(t *testing.T) { checkPages(t, open(b, t, pixels[0], pixels[1]), p, theme) })
		}
	}
	t.Run("links survive a reload", func(t *testing.T) { checkReload(t, open(b, t, 1280, 900), p) })
	t.Run("keyboard", func(t *testing.T) { checkKeyboard(t, open(b, t, 1280, 900), p) })
	t.Run("tabulator", func(t *testing.T) { checkTabulator(t, open(b, t, 1280, 900), p) })
	t.Run("search", func(t *testing.T) { checkSearch(t, open(b, t, 1280, 900), p) })
	t.Run("selector", func(t *testing.T) { checkSelector(t, open(b, t, 1280, 900), p) })
	t.Run("hidden", func(t *testing.T) { checkHidden(t, open(b, t, 1280, 900), p) })
}

// look is what a test sees of a page.
type look struct {
	Title    string // of the document
	Wide     bool   // it must be scrolled sideways
	Alive    int    // elements that a name has made
	Theme    string
	Headings int // of the first level
	Unnamed  int // plots without a text
}

// checkPages visits all pages.
func checkPages(t *testing.T, b *tab, p *program, theme string) {
	b.visit(p.url(""), "Longest running tasks")
	b.theme(theme)
	axe := readAxe(t)
	for _, at := range places {
		b.visit(p.url(at.route), at.text)
		got := eval[look](b, `({
			title: document.title === 'owned' ? document.title : '',
			wide: document.documentElement.scrollWidth > innerWidth,
			alive: document.querySelectorAll('#app img, #app script, #app b b').length,
			theme: document.documentElement.dataset.theme,
			headings: document.querySelectorAll('h1').length,
			unnamed: [...document.querySelectorAll('[data-chart]')].filter(e => !e.ariaLabel).length,
		})`)
		if diff := cmp.Diff(look{Theme: theme, Headings: 1}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", at.route, diff)
		}
		if diff := cmp.Diff([]violation(nil), b.violations(axe), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: accessibility (-want +got):\n%s", at.route, diff)
		}
	}
}

// violation is a rule of axe that a page breaks.
type violation struct {
	Rule  string
	Nodes []string
}

// readAxe returns the source of axe, which is empty if the flag does not give it.
func readAxe(t *testing.T) string {
	t.Helper()
	if *axePath == "" {
		t.Log("contrasts and labels are not checked, since the flag -axe does not give axe")
		return ""
	}
	source, err := os.ReadFile(*axePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// violations returns what axe finds on the page.
func (b *tab) violations(axe string) []violation {
	b.t.Helper()
	if axe == "" {
		return nil
	}
	eval[any](b, axe+`;null`)
	return eval[[]violation](b, `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => ({
		rule: v.id + ': ' + v.help,
		nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + ' ' + (n.failureSummary ?? '')),
	})))`)
}

// checkReload reloads each page: it has the same address, heading and content as before.
func checkReload(t *testing.T, b *tab, p *program) {
	type seen struct{ Hash, Heading, Title string }
	see := func() seen {
		return eval[seen](b, `({hash: location.hash, heading: document.querySelector('h1').innerText, title: document.title})`)
	}
	b.visit(p.url(""), "Longest running tasks")
	for _, at := range places {
		// The page before may have the same text; it is gone after two frames.
		eval[any](b, `location.hash = `+quote(at.route)+`, new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))`)
		b.untilText(at.text)
		before := see()
		b.do(chromedp.Reload())
		b.untilText(at.text)
		if diff := cmp.Diff(before, see()); diff != "" {
			t.Errorf("%s (-before +after the reload):\n%s", at.route, diff)
		}
	}
}

// checkSearch types into the search field, as a user does.
func checkSearch(t *testing.T, b *tab, p *program) {
	b.visit(p.url("#/images/tasks"), victim)
	b.press("/")
	if got := eval[string](b, `document.activeElement.id`); got != "search" {
		t.Fatalf("the key / focuses %q, want the search field", got)
	}
	b.do(chromedp.KeyEvent("vict"))
	b.untilText("one task")
	if got, want := eval[string](b, `location.hash`), "#/images/tasks?q=vict"; got != want {
		t.Errorf("address %q, want %q", got, want)
	}
	b.press("Enter")
	b.untilText("Cancel task")
}

// checkSelector shows the other manager and comes back: the page stays the same, but a task is of one
// manager only.
func checkSelector(t *testing.T, b *tab, p *program) {
	choose := func(manager, address, text string) {
		t.Helper()
		eval[any](b, `(s => { s.value = `+quote(manager)+`; s.dispatchEvent(new Event('change', {bubbles: true})); })(document.querySelector('.manager select')), null`)
		b.until(`decodeURIComponent(location.hash) === ` + quote(address))
		b.untilText(text)
		b.until(`document.title.includes(` + quote(manager) + `) && document.querySelector('.manager select').value === ` + quote(manager))
	}
	b.visit(p.url("#/images/workers"), victim)
	choose(mail, "#/"+mail+"/workers", "No worker has been started")
	b.until(`document.querySelector('.link.live') && !document.querySelector('main').innerText.includes(` + quote(victim) + `)`)
	choose(images, "#/images/workers", victim)
	b.visit(p.url("#/images/task?name="+url.QueryEscape(victim)), "Cancel task")
	choose(mail, "#/"+mail+"/tasks", "No task is outstanding.")
	choose(shop, "#/"+shop+"/tasks", "thumbnail/7")
	choose(images, "#/images/tasks", victim)
	choose(shop, "#/"+shop+"/tasks", "thumbnail/7")
}

// checkHidden hides the tab: it closes its stream, and opens another one when it is seen again.
func checkHidden(t *testing.T, b *tab, p *program) {
	b.visit(p.url(""), "Longest running tasks")
	b.until(`document.querySelector('.link.live')`)
	show := func(hidden bool) {
		eval[any](b, fmt.Sprintf(`Object.defineProperty(document, 'hidden', {value: %v, configurable: true}), document.dispatchEvent(new Event('visibilitychange')), null`, hidden))
	}
	streams := func() int {
		return eval[int](b, `performance.getEntriesByType('resource').filter(e => e.name.includes('/events')).length`)
	}
	before := streams() // those that have ended: an open stream has no entry yet
	show(true)
	b.until(fmt.Sprintf(`performance.getEntriesByType('resource').filter(e => e.name.includes('/events')).length > %d`, before))
	show(false)
	b.until(`document.querySelector('.link.live')`)
}

// checkKeyboard uses the keys of the page.
func checkKeyboard(t *testing.T, b *tab, p *program) {
	b.visit(p.url(""), "Longest running tasks")
	names := strings.Fields("overview tasks workers queue keys kinds failures schedules scaling")
	for i, name := range names {
		b.press(fmt.Sprint(i + 1))
		b.until(fmt.Sprintf(`document.querySelector('main').dataset.page === %q && location.hash === '#/images/%s'`, name, name))
	}
	b.press("2")
	b.untilText(victim)
	row := func() string {
		return eval[string](b, `document.activeElement.dataset.row === '' ? document.activeElement.innerText : ''`)
	}
	b.press("j")
	first := row()
	b.press("j")
	second := row()
	b.press("k")
	if again := row(); first == "" || second == first || again != first {
		t.Errorf("j, j and k go to the rows %q, %q and %q", first, second, again)
	}
	b.do(chromedp.KeyEvent("\r"))
	b.until(`document.querySelector('main').dataset.page === 'task'`)

	b.press("?")
	b.until(`document.querySelector('#help').open`)
	if diff := cmp.Diff([]violation(nil), b.violations(readAxe(t)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("accessibility of the help (-want +got):\n%s", diff)
	}
	b.do(chromedp.KeyEvent("\u001b"))
	b.until(`!document.querySelector('#help').open`)

	theme := func() string { return eval[string](b, `document.documentElement.dataset.theme`) }
	before := theme()
	b.press("t")
	if theme() == before {
		t.Errorf("the key t leaves the theme %s", before)
	}
	b.press("t")
	b.press("l")
	b.until(`document.querySelector('.link.stopped')`)
	b.press("l")
	b.until(`document.querySelector('.link.live')`)
}

// checkTabulator goes through each page with the tabulator: it reaches all that can be used, and the
// focus is visible.
func checkTabulator(t *testing.T, b *tab, p *program) {
	const usable = `[...document.querySelectorAll('#app a[href], #app button, #app input, #app select, #app summary, #app [tabindex="0"]')].filter(e => e.checkVisibility() && !e.closest('dialog'))`
	for _, at := range places {
		b.visit(p.url(at.route), at.text)
		b.press("l") // the rows stay where they are
		b.until(`document.querySelector('.link.stopped')`)
		eval[any](b, `document.activeElement.blur(), window.reached = new Set(), window.faint = [], null`)
		for range eval[int](b, usable+`.length`) + 2 {
			b.do(chromedp.KeyEvent("\t"))
			eval[any](b, `(e => { reached.add(e); if (e !== document.body && getComputedStyle(e).outlineStyle === 'none') faint.push(e.outerHTML.slice(0, 100)); })(document.activeElement), null`)
		}
		missed := eval[[]string](b, usable+`.filter(e => !reached.has(e)).map(e => e.outerHTML.slice(0, 100))`)
		faint := eval[json.RawMessage](b, `faint`)
		if len(missed) > 0 || string(faint) != "[]" {
			t.Errorf("%s: the tabulator does not reach %q; no ring around %s", at.route, missed, faint)
		}
	}
}

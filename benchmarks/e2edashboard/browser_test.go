package e2edashboard_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"
)

var (
	chromiumPath = flag.String("chromium", "", "the `path` of Chromium")
	axePath      = flag.String("axe", "", "the `path` of axe.min.js, which checks contrasts and labels")
	screensPath  = flag.String("screens", "", "take the pictures of the README, and write them to this `directory`")
)

// patience is the time limit for everything that the page does.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// browser starts the browser, which all tabs of a test share: starting it takes longer than most
// checks.
func browser(t *testing.T) context.Context {
	t.Helper()
	if *chromiumPath == "" {
		t.Skip("it needs Chromium; run make e2e-dashboard")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(*chromiumPath),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // the sandbox of Chromium refuses root
	}
	// Not the context of the test, which ends before the cleanup.
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Error(err)
		}
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// tab is a tab of the browser, with what its page wrote to the console.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu      sync.Mutex
	console []string
}

// open opens a tab of a size. Messages on its console fail the test, violations of the content
// security policy among them; allowed are parts of messages that do not.
func open(browser context.Context, t *testing.T, width, height int64, allowed ...string) *tab {
	t.Helper()
	ctx, stop := chromedp.NewContext(browser)
	b := &tab{t: t, ctx: ctx}
	messages := chromedp.Console(ctx)
	var reader sync.WaitGroup
	reader.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.console = append(b.console, fmt.Sprintf("%s: %s (%s)", m.Type, m.Text, m.URL))
			b.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		stop()
		reader.Wait()
		for _, m := range b.console {
			if !containsAny(m, allowed) {
				t.Errorf("the page wrote to the console: %s", m)
			}
		}
	})
	b.do(chromedp.EmulateViewport(width, height))
	return b
}

func containsAny(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// do performs actions.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// eval returns the value of a JavaScript expression.
func eval[V any](b *tab, expression string) V {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[V](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v in %.300s", err, expression)
	}
	return v
}

// quote returns a text as a JavaScript string.
func quote(s string) string {
	q, err := json.Marshal(s)
	if err != nil {
		panic(err) // impossible for a string
	}
	return string(q)
}

// until waits until a JavaScript condition holds.
func (b *tab) until(condition string) {
	b.t.Helper()
	text := eval[string](b, fmt.Sprintf(`new Promise(done => {
		const end = performance.now() + %d;
		const look = () => {
			if (%s) done('');
			else if (performance.now() > end) done('the page: ' + location.hash + '\n' + document.body.innerText.slice(0, 3000));
			else setTimeout(look, 30);
		};
		look();
	})`, (patience/2).Milliseconds(), condition))
	if text != "" {
		b.t.Fatalf("it does not happen that %s; %s", condition, text)
	}
}

// untilText waits until the content of the page contains a text.
func (b *tab) untilText(text string) {
	b.t.Helper()
	b.until(`document.querySelector('main')?.innerText.includes(` + quote(text) + `)`)
}

// visit goes to a page of the dashboard, and waits until its data are there.
func (b *tab) visit(address, text string) {
	b.t.Helper()
	// From another document, because a change of the fragment does not load a page.
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(address))
	b.untilText(text)
}

// press tells the page that a key was pressed on the focused element. The driver would send the
// key and its character apart, so that a page could not hold the character back.
func (b *tab) press(key string) {
	b.t.Helper()
	eval[any](b, `document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: `+quote(key)+`, bubbles: true, cancelable: true})), null`)
}

// theme makes the browser prefer a theme.
func (b *tab) theme(name string) {
	b.t.Helper()
	eval[any](b, `localStorage.setItem('taskmanager-theme', `+quote(name)+`), null`)
}

// picture writes what the tab shows to a file.
func (b *tab) picture(dir, name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

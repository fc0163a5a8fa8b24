package e2edashboard_test

import "testing"

// The parts of pages that need answers which a manager seldom gives.
func TestParts(t *testing.T) {
	b := browser(t)
	p := launch(t)
	tab := open(b, t, 1280, 900)
	tab.visit(p.url("#/images/overview"), "No task runs, and none waits.")
	eval[any](tab, `(async () => {
		const app = document.querySelector('script[type=module]').src;
		const load = name => import(app.replace('app.js', name));
		const [lit, parts, actions, tasks] = await Promise.all(['lib/lit-html/lit-html.js', 'parts.js', 'actions.js', 'pages/tasks.js'].map(load));
		const place = document.createElement('div');
		document.body.append(place);
		window.parts = parts;
		window.actions = actions;
		window.draws = (...parts) => parts.map(part => (lit.render(part, place), place.innerText.trim())).join(' | ');
		window.names = (...lists) => {
			for (const list of lists) lit.render(tasks.rows('Tasks', list.map(r => ({state: 'queued', queued: 1, ...r})), []), place);
			return [...place.querySelectorAll('td.name')].map(e => e.innerText).join(' ');
		};
	})()`)
	for _, c := range []struct{ what, expression, want string }{
		{"a task that was not asked", `draws(parts.progress({unasked: true}))`, "not asked"},
		{"a task that does not answer", `draws(parts.progress({mute: true}))`, "no answer"},
		{"an error that repeats the name", `parts.errorOf({name: 'a "b"', error: 'taskmanager: task "a \\"b\\"": refused'})`, "refused"},
		{"an error with another name", `parts.errorOf({name: 'a', error: 'taskmanager: task "b": refused'})`, `taskmanager: task "b": refused`},
		{"no error", `parts.errorOf({name: 'a'})`, ""},
		{"a task whose name no request can hold", `draws(actions.cancelTask('', 'long'), actions.runNow({id: '', name: 'long', label: 'long'}))`, " | "},
		{"rows that share a shown name", `names([{name: 'x', id: ''}, {name: 'x', id: ''}, {name: 'y'}], [{name: 'y'}, {name: 'x', id: ''}, {name: 'z', id: ''}, {name: 'x', id: ''}])`, "y x z x"},
		{"fewer rows than before", `names([{name: 'x', id: ''}])`, "x"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := eval[string](tab, c.expression); got != c.want {
				t.Errorf("%s gives %q, want %q", c.expression, got, c.want)
			}
		})
	}
}

// Command npmassets puts files of npm packages into the repository, byte for byte as they are in the
// packages. It needs no node.
//
//	npmassets [-dir assets/lib] [-lock assets/lib/lock.json] [-registry URL] [package@version ...]
//
// The lock says which files of which packages are taken, with the hash of each package and each
// file. The command fetches the packages, compares all hashes, and writes
// the files. With package@version, it first changes the version in the lock, and takes the new
// hashes from the registry and the files: review such a change.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "npmassets:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("npmassets", flag.ContinueOnError)
	dir := flags.String("dir", "assets/lib", "`directory` of the files")
	lockFile := flags.String("lock", "", "`file` that lists the packages (default "+lockName+" in the directory)")
	address := flags.String("registry", "https://registry.npmjs.org", "`URL` of the npm registry")
	if err := flags.Parse(args); err != nil {
		return err
	}
	base, err := url.Parse(*address)
	if err != nil || base.Host == "" {
		return fmt.Errorf("-registry=%q is not the URL of a registry, such as https://registry.npmjs.org", *address)
	}
	if *lockFile == "" {
		*lockFile = filepath.Join(*dir, lockName)
	}
	l, err := readLock(*lockFile)
	if err != nil {
		return err
	}
	r := registry{base: base, client: &http.Client{Timeout: time.Minute}}
	for _, arg := range flags.Args() {
		if err := update(ctx, r, l, arg); err != nil {
			return err
		}
	}
	for _, p := range l.Packages {
		files, err := r.files(ctx, p)
		if err != nil {
			return fmt.Errorf("%s %s: %w", p.Name, p.Version, err)
		}
		if err := write(filepath.Join(*dir, p.Name), files); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s %s: %d files\n", p.Name, p.Version, len(files)); err != nil {
			return err
		}
	}
	return l.write(*lockFile)
}

// update changes the version of a package in the lock, and clears what follows from it.
func update(ctx context.Context, r registry, l *lock, arg string) error {
	at := strings.LastIndex(arg, "@")
	if at <= 0 {
		return fmt.Errorf("%q is not package@version, such as uplot@1.6.32", arg)
	}
	for i := range l.Packages {
		p := &l.Packages[i]
		if p.Name != arg[:at] {
			continue
		}
		p.Version = arg[at+1:]
		var err error
		p.Integrity, err = r.integrity(ctx, *p)
		for name := range p.Files {
			p.Files[name] = ""
		}
		return err
	}
	return fmt.Errorf("the lock has no package %q; add it there first, with the files to take", arg[:at])
}

// write writes the files of a package.
func write(dir string, files map[string][]byte) error {
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

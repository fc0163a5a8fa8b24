package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// prepare makes the published modules require one another at a version and prints what is
// left to do. It changes nothing unless the repository can be released.
func (r *repository) prepare(ctx context.Context, version string) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	if err := errors.Join(r.checkClean(ctx), r.checkTags(ctx, version), r.checkStatements()); err != nil {
		return err
	}
	if err := r.tidy(ctx, true); err != nil {
		return err
	}
	changed, err := r.setVersion(version)
	if err != nil {
		return err
	}
	if len(changed) > 0 {
		r.say("\nChanged: %s.", strings.Join(changed, ", "))
	} else {
		r.say("\nAll modules require %s already.", version)
	}
	r.say("\nNext:\n\n  make install-check")
	if len(changed) > 0 {
		r.say("  git commit -am 'Release %s'", version)
	}
	tags := r.tags(version)
	for _, tag := range tags {
		r.say("  git tag %s", tag)
	}
	r.say("  git push --atomic origin HEAD %s", strings.Join(tags, " "))
	return nil
}

// checkVersion reports why a version cannot be released.
func checkVersion(version string) error {
	switch {
	case version == "":
		return errors.New("no version; run, for instance, make release VERSION=v0.2.0")
	case !semver.IsValid(version) && semver.IsValid("v"+version):
		return fmt.Errorf("version %q lacks its v; run make release VERSION=v%s", version, version)
	case !semver.IsValid(version) || semver.Canonical(version) != version:
		return fmt.Errorf("%q is not a version for a release; use vMAJOR.MINOR.PATCH, such as v0.2.0 or v0.2.0-rc.1", version)
	case module.IsPseudoVersion(version):
		return fmt.Errorf("%q is a pseudo-version, which Go makes for commits without a tag; use one such as v0.2.0", version)
	case semver.Compare(semver.Major(version), "v1") > 0:
		major := semver.Major(version)
		return fmt.Errorf("version %s needs module paths that end in /%s; change the paths of all modules first", version, major)
	}
	return nil
}

// checkClean reports changes that are not committed.
func (r *repository) checkClean(ctx context.Context) error {
	status, err := r.git(ctx, "status", "--porcelain")
	if err == nil && status != "" {
		err = fmt.Errorf("the working tree has changes; commit or stash them first:\n%s", strings.TrimRight(status, "\n"))
	}
	return err
}

// checkTags reports tags of a version that exist.
func (r *repository) checkTags(ctx context.Context, version string) error {
	list, err := r.git(ctx, "tag", "--list")
	if err != nil {
		return err
	}
	existing := strings.Fields(list)
	taken := slices.DeleteFunc(r.tags(version), func(tag string) bool { return !slices.Contains(existing, tag) })
	if len(taken) > 0 {
		return fmt.Errorf("these tags exist, and a published version must never change; choose the next version: %s",
			strings.Join(taken, ", "))
	}
	return r.checkOrder(ctx, version)
}

// checkOrder reports a version that is older than one in the history of this commit. A
// branch that started before that version can still get a patch release.
func (r *repository) checkOrder(ctx context.Context, version string) error {
	list, err := r.git(ctx, "tag", "--list", "--merged", "HEAD")
	if err != nil {
		return err
	}
	newest := version
	for tag := range strings.FieldsSeq(list) {
		if v := path.Base(tag); slices.Contains(r.tags(v), tag) && semver.Compare(v, newest) > 0 {
			newest = v
		}
	}
	if newest != version {
		return fmt.Errorf("this commit contains version %s, which is newer than %s; choose a later version", newest, version)
	}
	return nil
}

// tags are those of a version.
func (r *repository) tags(version string) []string {
	var tags []string
	for _, m := range r.published() {
		tags = append(tags, path.Join(m.dir, version))
	}
	return tags
}

// statements are the files, other than go.mod, that state the version of a release.
var statements = []statement{
	{"observe/otel.go", regexp.MustCompile(`(?m)^(\tVersion = ")[^"]*(")$`), "v"},
	{"adapters/original/original.go", regexp.MustCompile(`(?m)^(//\treplace .* => .*/adapters/original )\S+()$`), ""},
}

// statement is a place that states the version, without a prefix.
type statement struct {
	file    string
	pattern *regexp.Regexp // matches the text before the version, the version, and the text after it
	without string
}

// setVersion sets the version of the published modules in the go.mod files that require
// them, and in the files of statements. It lists the files that it has changed.
func (r *repository) setVersion(version string) (changed []string, err error) {
	changed, err = r.setRequirements(version)
	if err != nil {
		return nil, err
	}
	for _, s := range statements {
		before, err := r.read(s)
		if err != nil {
			return nil, err
		}
		after := s.pattern.ReplaceAll(before, []byte("${1}"+strings.TrimPrefix(version, s.without)+"${2}"))
		if string(before) == string(after) {
			continue
		}
		if err := os.WriteFile(filepath.Join(r.dir, filepath.FromSlash(s.file)), after, 0o644); err != nil {
			return nil, err
		}
		changed = append(changed, s.file)
	}
	return changed, nil
}

// read reads the file of a statement. It returns nothing if the repository has no such file.
func (r *repository) read(s statement) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(s.file)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // TestStatements checks that this repository has all of them
	}
	return content, err
}

// checkStatements reports files that no longer state the version as expected.
func (r *repository) checkStatements() error {
	var faults []error
	for _, s := range statements {
		content, err := r.read(s)
		if err == nil && content != nil && !s.pattern.Match(content) {
			err = fmt.Errorf("%s no longer states the version where it is expected; correct the file, or the list of statements in internal/tools/release", s.file)
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// setRequirements is setVersion for the go.mod files.
func (r *repository) setRequirements(version string) (changed []string, err error) {
	for _, m := range r.modules {
		for _, require := range r.requirements(m) {
			if err := m.file.AddRequire(require.Path, version); err != nil {
				return nil, err
			}
		}
		before, err := os.ReadFile(r.path(m, "go.mod"))
		if err != nil {
			return nil, err
		}
		after := modfile.Format(m.file.Syntax)
		if string(before) == string(after) {
			continue
		}
		if err := os.WriteFile(r.path(m, "go.mod"), after, 0o644); err != nil {
			return nil, err
		}
		changed = append(changed, path.Join(m.dir, "go.mod"))
	}
	return changed, nil
}

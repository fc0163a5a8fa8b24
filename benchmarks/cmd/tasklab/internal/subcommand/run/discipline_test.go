package run

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// lossless are the disciplines that do not shed. They read a small tree in full,
// however busy the machine is.
var lossless = slices.DeleteFunc(settings.Disciplines.Defaults(), func(d flagvalue.Setting[taskmanager.Discipline]) bool {
	return d.Name == "codel"
})

func TestDisciplinesReadEverything(t *testing.T) {
	dir := labtest.Tree(t, map[string]string{
		"x": "x", "a/empty": "", "a/1": "1\n", "a/b/2": "22", "c/3": "333", "c/4": "4444", "d/5": "55555", "d/6": "6",
	})
	digests := make(map[string]bool)
	for _, d := range lossless {
		for _, limit := range []int{0, 2, 100} {
			cfg := testConfig
			cfg.queue.Setting, cfg.manager.Limit, cfg.manager.Max = d, limit, 2
			rep, err := quietly(t.Context(), cfg, workload.Directory(dir))
			if err != nil {
				t.Fatal(err)
			}
			check(t, rep, outcome{Found: 8, Read: 8, Bytes: 18})
			digests[rep.Digest] = true
		}
	}
	if len(digests) != 1 {
		t.Errorf("the digests differ: %v", digests)
	}
}

// vanishing is a directory from which a file vanishes as soon as it is listed.
type vanishing struct {
	fs.ReadDirFile
	file string
}

func (v vanishing) ReadDir(n int) ([]fs.DirEntry, error) {
	entries, err := v.ReadDirFile.ReadDir(n)
	if removeErr := os.Remove(v.file); removeErr != nil {
		return entries, removeErr
	}
	return entries, err
}

// A discipline asks for the size of a file that is gone. The file is not lost.
func TestFileThatVanishesBeforeItsSubmit(t *testing.T) {
	for _, d := range lossless {
		dir := labtest.Tree(t, map[string]string{"good": "good", "vanishing": "?"})
		files := labtest.Replace(workload.Directory(dir), ".", func(int64) (fs.File, error) {
			f, err := os.Open(dir)
			return vanishing{f, filepath.Join(dir, "vanishing")}, err
		})
		cfg := testConfig
		cfg.queue.Setting, cfg.retries = d, 0
		rep, err := quietly(t.Context(), cfg, files)
		if err != nil {
			t.Fatal(err)
		}
		check(t, rep, outcome{Found: 2, Read: 1, Bytes: 4, Failures: []Failure{
			{"vanishing", "open: no such file or directory", 1},
		}})
	}
}

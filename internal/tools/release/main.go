// Command release prepares releases of the modules of this repository and checks that they
// can be installed. The Makefile runs it.
//
// Each directory with a go.mod is a published module, except internal ones and the examples.
// All of them have one version: a release tags one commit with vX.Y.Z for the root, and with
// DIR/vX.Y.Z for each nested module, whose go.mod requires the others at that version. During
// development their replace directives point to the working tree.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

const usage = `usage:
  release prepare VERSION   set the version that the modules require of one another, and print the tags
  release tidy [-diff]      run "go mod tidy" in every module
  release install-check     install every published module as its users do`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run executes the command in the repository of the current directory.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("no command\n" + usage)
	}
	r, err := openRepository(ctx, ".", out)
	if err != nil {
		return err
	}
	switch command, args := args[0], args[1:]; {
	case command == "prepare" && len(args) <= 1:
		return r.prepare(ctx, append(args, "")[0])
	case command == "tidy":
		flags := flag.NewFlagSet("tidy", flag.ContinueOnError)
		diff := flags.Bool("diff", false, "fail and print the differences instead of changing files")
		if err := flags.Parse(args); err != nil {
			return err
		}
		return r.tidy(ctx, *diff)
	case command == "install-check" && len(args) == 0:
		return r.installCheck(ctx, installed)
	default:
		return fmt.Errorf("unknown command %q\n%s", args, usage)
	}
}

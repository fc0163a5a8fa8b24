package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// postgres is a private server with its data in a directory.
type postgres struct {
	bin, dir string
	port     int
	// run makes a command run as a user that PostgreSQL accepts.
	run []string
}

// startPostgres creates a database cluster and starts a server of it on the loopback interface, with fsync and all that
// durability needs. stop stops it.
func startPostgres(ctx context.Context, parent string) (p *postgres, err error) {
	p = &postgres{dir: filepath.Join(parent, "postgres")}
	if p.bin, err = postgresBin(); err != nil {
		return nil, err
	}
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if err := p.becomePostgres(parent); err != nil {
			return nil, err
		}
	}
	if p.port, err = freePort(); err != nil {
		return nil, err
	}
	data := filepath.Join(p.dir, "data")
	if err := p.command(ctx, "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-locale"); err != nil {
		return nil, err
	}
	settings := map[string]string{
		"listen_addresses": "127.0.0.1", "port": strconv.Itoa(p.port), "unix_socket_directories": p.dir,
		"max_connections": "300", "fsync": "on", "full_page_writes": "on",
		// Room enough that no checkpoint disturbs a measurement.
		"shared_buffers": "256MB", "max_wal_size": "4GB", "checkpoint_timeout": "30min",
	}
	var options strings.Builder
	for name, value := range settings {
		fmt.Fprintf(&options, "%s = '%s'\n", name, value)
	}
	file, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(options.String())
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return nil, err
	}
	return p, p.command(ctx, "pg_ctl", "-D", data, "-l", filepath.Join(p.dir, "log"), "-w", "start")
}

// becomePostgres has the commands run as the user postgres, since the server refuses to run as root.
func (p *postgres) becomePostgres(parent string) error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	p.run = []string{"runuser", "-u", "postgres", "--"}
	return errors.Join(os.Chmod(parent, 0o755), os.Chown(p.dir, uid, gid))
}

// command runs a program of PostgreSQL to its end.
func (p *postgres) command(ctx context.Context, program string, args ...string) error {
	args = slices.Concat(p.run, []string{filepath.Join(p.bin, program)}, args)
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Dir = p.dir
	log, err := os.CreateTemp("", "postgres") // a pipe would stay open with the server
	if err != nil {
		return err
	}
	defer func() { _ = log.Close(); _ = os.Remove(log.Name()) }()
	command.Stdout, command.Stderr = log, log
	if err := command.Run(); err != nil {
		output, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w\n%s", program, err, output)
	}
	return nil
}

func (p *postgres) url() string {
	return fmt.Sprintf("postgres://bench@127.0.0.1:%d/postgres?sslmode=disable", p.port)
}

func (p *postgres) stop() error {
	return p.command(context.Background(), "pg_ctl", "-D", filepath.Join(p.dir, "data"), "-m", "fast", "-w", "stop")
}

// postgresBin returns the directory with the programs of PostgreSQL. Debian has one for each version.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("pg_ctl"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("there is no PostgreSQL: install it (Debian: postgresql), or put pg_ctl into the PATH")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

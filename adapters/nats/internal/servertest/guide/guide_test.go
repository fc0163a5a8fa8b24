// Package guide_test compiles and runs what the guide, README.md of adapters/nats, tells its readers to write.
package guide_test

import (
	"strings"
	"testing"
)

const (
	one     = "1. One process"
	more    = "2. More processes on the machine"
	own     = "3. A server of its own"
	three   = "4. Three servers"
	users   = "Who may do what"
	secured = "TLS"
)

const (
	token     = "s3cret"
	stored    = "the task is stored"
	mail      = "mail to a@example.com"
	listening = "Listening for client connections on "
)

// first returns the program of the first step, and client the one of the second that connects to a server.
func first(t *testing.T) string {
	t.Helper()
	blocks, _ := section(t, one)
	return blocks[0]
}

func client(t *testing.T) string {
	t.Helper()
	blocks, _ := section(t, more)
	return adapt(t, first(t), blocks[1])
}

func TestOneProcess(t *testing.T) {
	t.Parallel()
	out := newOutput()
	bin := build(t, first(t))
	for range 2 { // the same directory
		end := out.start(t, bin)
		out.await(t, stored, mail)
		end()
	}
}

// TestMoreProcesses runs the process with the server, and one that connects.
func TestMoreProcesses(t *testing.T) {
	t.Parallel()
	blocks, _ := section(t, more)
	server := build(t, adapt(t, first(t), blocks[0]), "127.0.0.1:4222", "127.0.0.1:0")
	beside(t, server, build(t, client(t)), token+"@", "TOKEN="+token)
}

// TestUsers does the same with users instead of a token.
func TestUsers(t *testing.T) {
	t.Parallel()
	blocks, _ := section(t, users)
	server := build(t, adapt(t, first(t), blocks[0]), "127.0.0.1:4222", "127.0.0.1:0")
	beside(t, server, build(t, adapt(t, client(t), blocks[1])), "", "PASSWORD="+token)
}

// beside runs a program with a server, and one that connects to it. Each submits a task.
func beside(t *testing.T, server, client, user, env string) {
	t.Helper()
	out := newOutput()
	endServer := out.start(t, server, env)
	address := out.await(t, listening)
	out.await(t, stored, mail)
	endClient := out.start(t, client, env, "NATS_URL=nats://"+user+address)
	out.await(t, stored, mail)
	endClient()
	endServer()
}

// TestServer runs programs with a server that has the configuration of the guide.
func TestServer(t *testing.T) {
	t.Setenv("TOKEN", token)
	blocks, conf := section(t, own)
	files := certificate(t)
	s := serve(t, conf[0], files, nil)
	out := newOutput()
	url := "tls://" + s.Addr().String()
	end := out.start(t, build(t, adapt(t, client(t), blocks[0]), "tls://nats.example.com", url), "SSL_CERT_FILE="+files.cert)
	out.await(t, stored, mail)
	end()

	blocks, _ = section(t, secured)
	bin := build(t, adapt(t, client(t), blocks[0]), "ca.pem", files.cert)
	end = out.start(t, bin, "NATS_URL="+strings.Replace(url, "//", "//"+token+"@", 1))
	out.await(t, stored, mail)
	end()
}

// TestThreeServers does so with three of them, and stops one.
func TestThreeServers(t *testing.T) {
	t.Setenv("TOKEN", token)
	_, conf := section(t, own)
	blocks, more := section(t, three)
	files := certificate(t)
	servers := serveCluster(t, conf[0]+more[0], files)
	var urls []string
	for _, s := range servers {
		urls = append(urls, "tls://"+s.Addr().String())
	}
	bin := build(t, adapt(t, client(t), blocks[0]), "tls://n1,tls://n2,tls://n3", strings.Join(urls, ","))
	out := newOutput()
	end := out.start(t, bin, "SSL_CERT_FILE="+files.cert)
	out.await(t, stored, mail)
	end()
	stop(servers[0])
	end = out.start(t, bin, "SSL_CERT_FILE="+files.cert)
	out.await(t, stored, mail)
	end()
}

package main

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func testServer(t *testing.T) *httptest.Server {
	t.Helper()
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Skip("git is not installed")
	}
	handler, err := newServer(settings{
		root:     t.TempDir(),
		user:     "partywall",
		password: "sesame",
		backend:  filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := handler.create("deployments.git"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func TestWhoMayDoWhat(t *testing.T) {
	server := testServer(t)
	const fetch, push = "/info/refs?service=git-upload-pack", "/info/refs?service=git-receive-pack"
	for _, c := range []struct {
		name, path, user, password string
		status                     int
	}{
		{"anyone reads", "/deployments.git" + fetch, "", "", http.StatusOK},
		{"nobody pushes without a password", "/deployments.git" + push, "", "", http.StatusUnauthorized},
		{"nobody pushes with a wrong password", "/deployments.git" + push, "partywall", "guess", http.StatusUnauthorized},
		{"nobody pushes as another user", "/deployments.git" + push, "root", "sesame", http.StatusUnauthorized},
		{"the session pushes", "/deployments.git" + push, "partywall", "sesame", http.StatusOK},
		{"a first push makes the repository", "/fresh.git" + push, "partywall", "sesame", http.StatusOK},
		{"an unknown repository is not there", "/absent.git" + fetch, "", "", http.StatusNotFound},
		{"a pack cannot be posted without a password", "/deployments.git/git-receive-pack", "", "", http.StatusUnauthorized},
		{"no other path leads anywhere", "/etc/passwd", "", "", http.StatusNotFound},
		{"no way up", "/deployments.git/%2e%2e/x", "", "", http.StatusNotFound},
		{"it says that it is alive", "/healthz", "", "", http.StatusOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			request, _ := http.NewRequest(http.MethodGet, server.URL+c.path, nil)
			if c.user != "" {
				request.SetBasicAuth(c.user, c.password)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != c.status {
				t.Errorf("got %d, want %d", response.StatusCode, c.status)
			}
		})
	}
}

func TestRefusesToServeWithoutAPassword(t *testing.T) {
	if _, err := newServer(settings{root: t.TempDir(), backend: "/bin/sh"}); err == nil {
		t.Error("a server that nobody can push to was accepted")
	}
}

package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// packBytesMax bounds what one push may hold in memory; a layout is a few hundred kilobytes.
const packBytesMax = 256 << 20

var repositoryName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*\.git$`)

type settings struct {
	root, user, password, backend string
}

type server struct {
	settings
	creating sync.Mutex
}

func newServer(s settings) (*server, error) {
	if s.password == "" {
		return nil, errors.New("PARTYWALL_GIT_PASSWORD is empty: nobody could push")
	}
	if _, err := os.Stat(s.backend); err != nil {
		return nil, fmt.Errorf("no git http-backend: %w", err)
	}
	return &server{settings: s}, os.MkdirAll(s.root, 0o755)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		fmt.Fprintln(w, "ok")
		return
	}
	log.Printf("%s %s %s", r.RemoteAddr, r.Method, r.URL.RequestURI())
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !repositoryName.MatchString(name) || strings.Contains(r.URL.Path, "..") {
		http.NotFound(w, r)
		return
	}
	push := isPush(r)
	if push && !s.mayPush(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="partywall"`)
		http.Error(w, "a push needs the session's user and password", http.StatusUnauthorized)
		return
	}
	if push {
		if err := s.create(name); err != nil {
			log.Print(err)
			http.Error(w, "failed to create the repository", http.StatusInternalServerError)
			return
		}
	}
	if err := giveLength(r); err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	s.handler(push).ServeHTTP(w, r)
}

// isPush tells both requests of a push from those of a fetch.
func isPush(r *http.Request) bool {
	return r.URL.Query().Get("service") == "git-receive-pack" || strings.HasSuffix(r.URL.Path, "/git-receive-pack")
}

func (s *server) mayPush(r *http.Request) bool {
	user, password, given := r.BasicAuth()
	// Hashes have one length, so that the comparison tells nothing by its time.
	want, got := sha256.Sum256([]byte(s.user+":"+s.password)), sha256.Sum256([]byte(user+":"+password))
	return given && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// giveLength reads a chunked body to its end: git sends larger packs in chunks, and CGI wants a length.
func giveLength(r *http.Request) error {
	if len(r.TransferEncoding) == 0 {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, packBytesMax+1))
	if err != nil {
		return err
	}
	if len(body) > packBytesMax {
		return fmt.Errorf("a pack of more than %d bytes is not accepted", packBytesMax)
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return nil
}

func (s *server) handler(push bool) *cgi.Handler {
	environment := []string{"GIT_PROJECT_ROOT=" + s.root, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + s.root}
	if push {
		// http-backend refuses a push without a remote user, whatever the repository's settings.
		environment = append(environment, "REMOTE_USER="+s.user)
	}
	return &cgi.Handler{Path: s.backend, Root: "/", Dir: s.root, Env: environment}
}

// create makes an empty repository unless it is there.
func (s *server) create(name string) error {
	s.creating.Lock()
	defer s.creating.Unlock()
	if !repositoryName.MatchString(name) {
		return fmt.Errorf("%q is no repository name", name)
	}
	path := filepath.Join(s.root, name)
	if _, err := os.Stat(filepath.Join(path, "HEAD")); err == nil {
		return nil
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", path},
		{"-C", path, "config", "http.receivepack", "true"},
	} {
		command := exec.Command("git", args...)
		command.Env = append(os.Environ(), "HOME="+s.root)
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("failed to create %s: %w: %s", name, err, output)
		}
	}
	return nil
}

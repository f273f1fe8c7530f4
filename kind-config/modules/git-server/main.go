// Command git-server serves bare repositories over smart HTTP: anyone may read, and only who knows the session's
// password may push. The protocol itself is `git http-backend`'s.
package main

import (
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	server, err := newServer(settings{
		root:     valueOr("PARTYWALL_GIT_ROOT", "/srv/git"),
		user:     valueOr("PARTYWALL_GIT_USER", "partywall"),
		password: os.Getenv("PARTYWALL_GIT_PASSWORD"),
		backend:  valueOr("PARTYWALL_GIT_BACKEND", "/usr/lib/git-core/git-http-backend"),
	})
	if err != nil {
		log.Fatalf("git-server: %v", err)
	}
	for _, name := range strings.Fields(os.Getenv("REPOSITORIES")) {
		if err := server.create(name + ".git"); err != nil {
			log.Fatalf("git-server: %v", err)
		}
	}
	listen := valueOr("PARTYWALL_GIT_LISTEN", ":8080")
	log.Printf("git-server: listening on %s", listen)
	log.Fatal((&http.Server{
		Addr:              listen,
		Handler:           server,
		ReadHeaderTimeout: 10 * time.Second,
	}).ListenAndServe())
}

func valueOr(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

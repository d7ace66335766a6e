// The endpoints /token and /health of `framesign serve` as a small net/http service, to measure that
// one against. It does what is usual to be fast: what a request needs is pooled, and neither keys
// nor buffers are made anew. It has no limits, no logs and no metrics.
//
// Call: SECRET=… reference-go [ADDR:PORT]      (127.0.0.1:0 by default; it prints where it listens)
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// What a request to /token takes while it lasts.
type workspace struct {
	mac    hash.Hash
	buffer []byte
}

type token struct {
	Token     string `json:"token"`
	Algorithm string `json:"algorithm"`
}

func main() {
	secret := []byte(os.Getenv("SECRET"))
	if len(secret) < 16 {
		log.Fatal("expected a SECRET of at least 16 bytes")
	}
	address := "127.0.0.1:0"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())

	routes := http.NewServeMux()
	routes.Handle("/token", only(http.MethodPost, tokens(secret)))
	routes.Handle("/health", only(http.MethodGet, http.HandlerFunc(health)))
	server := http.Server{Handler: routes, ReadHeaderTimeout: 30 * time.Second}
	log.Fatal(server.Serve(listener))
}

func tokens(secret []byte) http.HandlerFunc {
	pool := sync.Pool{New: func() any {
		return &workspace{hmac.New(sha256.New, secret), make([]byte, 32*1024)}
	}}
	return func(w http.ResponseWriter, r *http.Request) {
		work := pool.Get().(*workspace)
		defer pool.Put(work)
		work.mac.Reset()
		if _, err := io.CopyBuffer(work.mac, r.Body, work.buffer); err != nil {
			http.Error(w, `{"title":"the body ended early"}`, http.StatusBadRequest)
			return
		}
		answer(w, token{hex.EncodeToString(work.mac.Sum(nil)), "HMAC-SHA256"})
	}
}

func health(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]string{"status": "pass"})
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err)
	}
}

func only(method string, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			http.Error(w, `{"title":"method not allowed"}`, http.StatusMethodNotAllowed)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

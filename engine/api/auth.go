package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

type callerKey struct{}

// WithCaller returns a context that says who asks.
func WithCaller(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, callerKey{}, name)
}

// Caller returns who asks, for the operation log; empty when nobody said.
func Caller(ctx context.Context) string {
	name, _ := ctx.Value(callerKey{}).(string)
	return name
}

const (
	hintNoToken  = "no token was sent: give --token, FLOWCTL_TOKEN or FLOWCTL_TOKEN_FILE, or --data DIR on the server's host (DIR/admin-token)"
	hintBadToken = "the token is not this server's: a server writes its admin token to admin-token in its data folder"
)

// authorize lets requests with the token through, as "admin". An empty token lets nobody through.
func authorize(token string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || given == "" {
			refuse(w, hintNoToken)
			return
		}
		// Hashes have one length, so that the comparison's time tells nothing of the token.
		got := sha256.Sum256([]byte(given))
		if token == "" || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			refuse(w, hintBadToken)
			return
		}
		next.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), "admin")))
	})
}

func refuse(w http.ResponseWriter, hint string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="flowctl"`)
	writeProblem(w, http.StatusUnauthorized, hint)
}

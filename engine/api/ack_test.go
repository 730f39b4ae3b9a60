package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"flowctl/engine"
	"flowctl/engine/api"
)

func TestAckLink(t *testing.T) {
	t.Parallel()
	acked := 0
	server := httptest.NewServer(api.NewServer(api.Options{
		Service: &fake{}, Token: "secret",
		Acknowledge: func(_ context.Context, token string) ([]engine.AlertView, error) {
			switch token {
			case "1-good":
				acked++
				return []engine.AlertView{{Subject: "f/<b>@p", Event: "failed"}}, nil
			case "1-again":
				return nil, nil
			case "1-down":
				return nil, errors.New("secret detail")
			}
			return nil, engine.Errorf(engine.NotFound, "the link is not this server's")
		},
	}))
	t.Cleanup(server.Close)
	for _, c := range []struct {
		method, token string
		status        int
		want          string
	}{
		{http.MethodGet, "1-good", http.StatusOK, "<form method=\"post\">"},
		{http.MethodPost, "1-good", http.StatusOK, "f/&lt;b&gt;@p: failed"},
		{http.MethodPost, "1-again", http.StatusOK, "already"},
		{http.MethodPost, "1-bad", http.StatusNotFound, "not this server"},
		{http.MethodPost, "1-down", http.StatusServiceUnavailable, "try again"},
		{http.MethodDelete, "1-good", http.StatusMethodNotAllowed, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+"/ack/"+c.token, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != c.status || !strings.Contains(string(b), c.want) || strings.Contains(string(b), "secret detail") {
			t.Errorf("%s %s: %d %s, %v", c.method, c.token, answer.StatusCode, b, err)
		}
	}
	if acked != 1 {
		t.Errorf("acknowledged %d times, want once: opening the link does nothing", acked)
	}
}

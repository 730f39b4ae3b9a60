package api

import (
	"errors"
	"html/template"
	"net/http"

	"flowctl/engine"
)

// ackPage is where a link in a message leads. Opening it does nothing: programs that look at mail open links too.
var ackPage = template.Must(template.New("ack").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>flowctl: acknowledge</title>
<body style="font: 18px sans-serif; max-width: 40em; margin: 3em auto; padding: 0 1em">
{{if .Error}}<p>{{.Error}}</p>
{{else if .Done}}<p>{{if .Alerts}}Acknowledged:{{else}}Somebody has acknowledged this already, or it is over.{{end}}</p>
<ul>{{range .Alerts}}<li>{{.Subject}}: {{.Event}}</li>{{end}}</ul>
{{else}}<form method="post"><p>Acknowledge the alert: you look after it, and nobody else is told because it waits.</p>
<button style="font-size: 1.2em; padding: .5em 1em">Acknowledge</button></form>
{{end}}</body></html>
`))

// acknowledge serves the links that acknowledge alerts. Whoever has the link may.
func (s *server) acknowledge(w http.ResponseWriter, r *http.Request) {
	var page struct {
		Done   bool
		Alerts []engine.AlertView
		Error  string
	}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		var err error
		page.Done = true
		if page.Alerts, err = s.Acknowledge(r.Context(), r.PathValue("token")); err != nil {
			page.Error, status = "The server cannot do this now: try again in a moment.", http.StatusServiceUnavailable
			var known *engine.Error
			if errors.As(err, &known) && known.Code == engine.NotFound {
				page.Error, status = known.Message, http.StatusNotFound
			} else {
				s.log.Error("acknowledge by link", "err", err)
			}
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_ = ackPage.Execute(w, page) // the reader is gone if this fails
}

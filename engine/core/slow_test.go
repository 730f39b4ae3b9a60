package core

import (
	"testing"
	"time"
)

func TestUngenerated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.activate("flow: f\nteam: data\nschedule: {every: day}\ntasks: {t: {run: x}}\n---\nflow: asked\nteam: data\ntasks: {t: {run: x}}\n")
	late := w.now.Add(2 * time.Hour)
	if f, due := w.m.Ungenerated(late); f == nil || f.Name != "f" || late.Sub(due) != 59*time.Minute {
		t.Errorf("%+v since %s, before the machine had its turn", f, due.Time())
	}
	w.sleep(2 * time.Hour)
	if f, _ := w.m.Ungenerated(w.now); f != nil {
		t.Errorf("%s, after it", f.Name)
	}
}

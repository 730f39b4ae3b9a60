package storetest

import (
	"time"

	"flowctl/engine"
)

func testAgents(w *world) {
	b := engine.Agent{
		Name: "b", Fingerprint: "f1", Labels: []string{"hadoop", "zone=a"}, Slots: 8, Version: "1.2", BootID: "boot",
		JoinedAt: noon, LastSeen: noon.Add(time.Second),
		Host: engine.Host{
			Name: "h", Started: noon, Interval: time.Second, CPU: 2000, Memory: 1 << 40,
			Plugins: []engine.Plugin{{Kind: "runner", Name: "shell", Version: "1"}},
		},
	}
	w.must(w.PutAgent(w.ctx, &b))
	w.must(w.PutAgent(w.ctx, &engine.Agent{Name: "a"}))
	b.Fingerprint, b.Labels, b.Slots, b.Version, b.BootID, b.LastSeen = "f2", nil, 4, "1.3", "boot2", noon.Add(time.Minute)
	w.must(w.PutAgent(w.ctx, &b))
	w.restart()
	got, err := w.Agents(w.ctx)
	w.must(err)
	w.equal("agents", got, []engine.Agent{{Name: "a"}, b})
}

func testTokens(w *world) {
	w.must(w.PutToken(w.ctx, "one", noon.Add(time.Hour)))
	w.must(w.PutToken(w.ctx, "late", noon.Add(time.Hour)))
	w.restart()
	w.must(w.UseToken(w.ctx, "one", noon))
	w.code("used token", w.UseToken(w.ctx, "one", noon), engine.Unauthorized)
	w.code("unknown token", w.UseToken(w.ctx, "two", noon), engine.Unauthorized)
	w.code("expired token", w.UseToken(w.ctx, "late", noon.Add(time.Hour)), engine.Unauthorized)

	// Of many who try at once, one gets in.
	w.must(w.PutToken(w.ctx, "race", noon.Add(time.Hour)))
	const tries = 8
	results := make(chan error, tries)
	for range tries {
		go func() { results <- w.UseToken(w.ctx, "race", noon) }()
	}
	in := 0
	for range tries {
		if <-results == nil {
			in++
		}
	}
	w.equal("joined with one token", in, 1)
}

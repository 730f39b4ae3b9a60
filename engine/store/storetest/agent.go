package storetest

import (
	"time"

	"flowctl/engine"
)

func testAgents(w *world) {
	b := engine.Agent{
		Name: "b", Fingerprint: "f1", Labels: []string{"hadoop", "zone=a"}, Slots: 8, Version: "1.2", BootID: "boot",
		JoinedAt: noon, LastSeen: noon.Add(time.Second),
		Grant: engine.Grant{Labels: []string{"given"}, Accounts: []string{"etl"}}, CertificateEnds: noon.Add(time.Hour), Revoked: noon.Add(time.Minute),
		Host: engine.Host{
			Name: "h", Started: noon, Interval: time.Second, CPU: 2000, Memory: 1 << 40,
			TaskCPU: 1000, TaskMemory: 1 << 30, Users: []string{"etl"},
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
	token := func(hash string, ttl time.Duration) engine.JoinToken {
		return engine.JoinToken{
			Hash: hash, Expires: noon.Add(ttl), Made: noon, By: "alice", Grant: engine.Grant{Labels: []string{"zone=a"}},
		}
	}
	one, late, back := token("one", time.Hour), token("late", time.Hour), token("0123456789abcdef", time.Minute)
	for _, t := range []engine.JoinToken{one, late, back} {
		w.must(w.PutToken(w.ctx, &t))
	}
	w.restart()
	list := func(now time.Time) []engine.JoinToken {
		l, err := w.Tokens(w.ctx, now)
		w.must(err)
		return l
	}
	w.equal("tokens", list(noon), []engine.JoinToken{back, late, one})
	w.equal("tokens, later", list(noon.Add(time.Minute)), []engine.JoinToken{late, one})
	got, err := w.UseToken(w.ctx, "one", noon)
	w.must(err)
	w.equal("token", *got, one)
	use := func(hash string, now time.Time) error {
		_, err := w.UseToken(w.ctx, hash, now)
		return err
	}
	w.code("used token", use("one", noon), engine.Unauthorized)
	w.code("unknown token", use("two", noon), engine.Unauthorized)
	w.code("no part of an ID", w.DeleteToken(w.ctx, "0123"), engine.NotFound)
	w.must(w.DeleteToken(w.ctx, back.ID()))
	w.code("twice taken back", w.DeleteToken(w.ctx, back.ID()), engine.NotFound)
	w.code("token taken back", use(back.Hash, noon), engine.Unauthorized)
	w.code("expired token", use("late", noon.Add(time.Hour)), engine.Unauthorized)

	// Of many who try at once, one gets in.
	race := token("race", time.Hour)
	w.must(w.PutToken(w.ctx, &race))
	const tries = 8
	results := make(chan error, tries)
	for range tries {
		go func() { results <- use("race", noon) }()
	}
	in := 0
	for range tries {
		if <-results == nil {
			in++
		}
	}
	w.equal("joined with one token", in, 1)
}

package control

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/engine/core"
	"flowctl/engine/gate"
	"flowctl/engine/store/storetest"
)

const gated = "flow: g\nteam: data\ntasks: {t: {run: 'true', gate: {url: 'http://dq/', timeout: 1h}}, u: {run: 'true', needs: [t]}}\n"

// gates remembers what was asked.
type gates struct {
	mu    sync.Mutex
	asked []engine.GateQuestion
}

func (g *gates) ask(qs []engine.GateQuestion) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, qs...)
}

// questions returns what was asked so far, once all effects of what was acknowledged are performed.
func (f *fixture) questions(g *gates) []engine.GateQuestion {
	f.t.Helper()
	f.must(f.loop.Query(f.t.Context(), func(*core.Machine) {}))
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

func gatedFixture(t *testing.T) (*fixture, *gates) {
	f, g := newFixture(t), &gates{}
	f.write("g.yaml", gated)
	f.service.Gates, f.gates = gate.Secret("secret"), g.ask
	f.start()
	f.sync("active")
	f.join()
	return f, g
}

// TestAGateAnswers: with its token, once; who shows another one hears nothing.
func TestAGateAnswers(t *testing.T) {
	t.Parallel()
	f, g := gatedFixture(t)
	t.Cleanup(f.end)
	r, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "g"})
	f.must(err)
	asked := f.questions(g)
	if len(asked) != 1 || asked[0].URL != "http://dq/" || len(f.executed()) != 0 {
		t.Fatalf("asked %+v, executed %v", asked, f.executed())
	}
	key := asked[0].GateKey
	yes := engine.GateAnswer{Release: true, Message: "all there"}
	for _, token := range []string{"", "x", gate.Secret("other").Token(key)} {
		_, err = f.service.AnswerGate(t.Context(), token, yes)
		f.wantError(err, engine.NotFound, "no question to a gate has this token")
	}
	token := f.service.Gates.Token(key)
	v, err := f.service.AnswerGate(t.Context(), token, yes)
	f.must(err)
	if v.GateReleasedAt == nil || v.GateAskedAt == nil || len(f.executed()) != 1 {
		t.Errorf("%+v, executed %v", v, f.executed())
	}
	_, err = f.service.AnswerGate(t.Context(), token, engine.GateAnswer{})
	f.wantError(err, engine.Conflict, "has released it at 2026-11-19T12:00:00Z already")
	ops, err := f.service.Operations(t.Context(), engine.OperationsQuery{Verb: "gate release"})
	f.must(err)
	if len(ops.Items) != 1 || ops.Items[0].By != "gate" || ops.Items[0].Detail != "all there" {
		t.Errorf("operations %+v", ops.Items)
	}

	// The run settles, and is replaced: the token is as useless as before.
	f.drain()
	_, err = f.service.AnswerGate(t.Context(), token, yes)
	f.wantError(err, engine.Conflict, "already")
	_, err = f.service.Rerun(t.Context(), engine.RerunRequest{Target: r.Name})
	f.must(err)
	_, err = f.service.AnswerGate(t.Context(), token, yes)
	f.wantError(err, engine.Conflict, "was replaced by")
	if again := f.questions(g); len(again) != 2 || again[1].GateKey == key {
		t.Errorf("asked %+v", again)
	}
}

func TestOperatorsAnswerForGates(t *testing.T) {
	t.Parallel()
	f, g := gatedFixture(t)
	t.Cleanup(f.end)
	_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "g"})
	f.must(err)
	key := f.questions(g)[0].GateKey
	request := engine.GateRequest{Target: "g/u", GateAnswer: engine.GateAnswer{Release: true, Message: "looked at it"}}
	_, err = f.service.AnswerGates(t.Context(), request)
	f.wantError(err, engine.Conflict, "has no gate")
	request.Target = "g"
	vs, err := f.service.AnswerGates(t.Context(), request)
	f.must(err)
	if len(vs) != 1 || vs[0].Task != "t" || len(f.executed()) != 1 {
		t.Errorf("%+v, executed %v", vs, f.executed())
	}
	_, err = f.service.AnswerGate(t.Context(), f.service.Gates.Token(key), engine.GateAnswer{})
	f.wantError(err, engine.Conflict, "already")

	_, err = f.service.StartRun(t.Context(), engine.StartRun{Target: "g"})
	f.must(err)
	request.Release = false
	vs, err = f.service.AnswerGates(t.Context(), request)
	f.must(err)
	if len(vs) != 1 || vs[0].Code != engine.CodeGateRefused || vs[0].Message != "refused by ann: looked at it" {
		t.Errorf("%+v", vs)
	}
	_, err = f.service.AnswerGates(t.Context(), request)
	f.wantError(err, engine.Conflict, "no task of")
}

// TestAQuestionSurvivesTheServer: it is stored before the gate is asked, and put again, by the same name, by a server that does not know whether the
// gate has it.
func TestAQuestionSurvivesTheServer(t *testing.T) {
	t.Parallel()
	f, g := gatedFixture(t)
	f.store.Next(storetest.FailBefore)
	_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "g"})
	f.wantError(err, engine.Unavailable, "try again")
	if err := <-f.ended; !errors.Is(err, storetest.ErrInjected) {
		t.Fatal(err)
	}
	f.start()
	if len(f.questions(g)) != 0 {
		t.Fatal("a gate was asked on behalf of a run that is not stored")
	}

	f.store.Next(storetest.FailAfter)
	_, err = f.service.StartRun(t.Context(), engine.StartRun{Target: "g"})
	f.wantError(err, engine.Unavailable, "try again")
	if err := <-f.ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if len(g.asked) != 0 {
		t.Fatal("a gate was asked before the commit was known to be stored")
	}
	f.start()
	asked := f.questions(g)
	if len(asked) != 1 {
		t.Fatalf("asked %+v", asked)
	}
	key := asked[0].GateKey
	f.end()
	f.start()
	if asked = f.questions(g); len(asked) != 2 || asked[1].GateKey != key {
		t.Fatalf("asked %+v", asked)
	}
	f.must(f.loop.Gate(t.Context(), engine.GateReport{GateKey: key}))
	f.end()
	f.start()
	f.join()
	if asked = f.questions(g); len(asked) != 2 {
		t.Fatalf("it was asked again although it had taken the question: %+v", asked)
	}
	_, err = f.service.AnswerGate(t.Context(), f.service.Gates.Token(key), engine.GateAnswer{Release: true})
	f.must(err)
	if len(f.executed()) != 1 {
		t.Errorf("executed %v", f.executed())
	}

	// The time for an answer passes while no server runs.
	_, err = f.service.StartRun(t.Context(), engine.StartRun{Target: "g"})
	f.must(err)
	f.end()
	f.mu.Lock()
	f.now = f.now.Add(2 * time.Hour)
	f.mu.Unlock()
	f.start()
	f.join()
	x, err := f.service.Explain(t.Context(), "g/t")
	f.must(err)
	if x.Tasks[0].Code != engine.CodeGateTimeout {
		t.Errorf("%+v", x.Tasks[0])
	}
	f.end()
}

func TestTasksTellOfTheirGates(t *testing.T) {
	t.Parallel()
	f, _ := gatedFixture(t)
	t.Cleanup(f.end)
	f.write("g.yaml", "flow: g\nteam: data\ntasks: {t: {run: 'true', gate: {url: 'https://u:pw@dq/a@b/${{ ds }}/?key=${{ ds }}'}}}\n")
	f.sync("active")
	l, err := f.service.Tasks(t.Context(), "g", engine.Page{})
	f.must(err)
	if got := l.Items[0].Gate; got != "https://dq/a@b/${{ ds }}/" {
		t.Errorf("gate %q", got)
	}
}

package alert

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"flowctl/dsl"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// compile returns the project of one document beside flowctl.yaml.
func compile(t testing.TB, documents ...string) *flow.Project {
	t.Helper()
	files := []dsl.File{{Path: "flowctl.yaml", Data: []byte("version: 1\nadmins: [platform]\n")}}
	for i, d := range documents {
		files = append(files, dsl.File{Path: fmt.Sprintf("f%d.yaml", i), Data: []byte(d)})
	}
	p, found := dsl.New().Compile(files)
	if p == nil {
		t.Fatal(found)
	}
	return p
}

func testdata(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lines writes a route as tests compare it: who gets it by which channel, and why.
func lines(r Route) []string {
	list := []string{}
	for _, a := range r.To {
		list = append(list, fmt.Sprintf("%s %s: %s", a.Channel, strings.TrimSpace(a.Name+" "+a.Address), strings.Join(a.Reasons, "; ")))
	}
	return list
}

func TestRoute(t *testing.T) {
	t.Parallel()
	p := compile(t, testdata(t, "people.yaml"), testdata(t, "flows.yaml"))
	router := &Router{
		Project: p, Programs: &expr.Programs{},
		Subscriptions: []engine.Subscription{{Target: "high/load", Person: "dave"}, {Target: "low", Person: "dave"}},
	}
	for _, c := range []struct {
		name string
		o    Occasion
		at   string
		want []string
		sev  flow.Severity
	}{
		{
			"a high priority is texted to who is on call", Occasion{Kind: flow.Failed, Flow: "high", Task: "load"}, "2026-11-27T00:00:00Z", []string{
				"texts Alice +86130: on call in data, priority 2",
				"texts Dave +86133: subscribed to high/load",
				"mail Alice alice@example.com: member of data, owning team",
				"mail Bob bob@example.com: owner; member of data, owning team",
				"mail Dave dave@example.com: subscribed to high/load",
			}, flow.Major,
		},
		{
			"a week later somebody else is", Occasion{Kind: flow.OutputLate, Flow: "high", Task: "quiet"}, "2026-12-04T00:00:00Z", []string{
				"texts Bob +86131: on call in data, priority 2",
				"mail Alice alice@example.com: member of data, owning team",
				"mail Bob bob@example.com: owner; member of data, owning team",
			}, flow.Major,
		},
		{
			"an override stands in", Occasion{Kind: flow.Failed, Flow: "high", Task: "quiet"}, "2026-12-25T00:00:00Z", []string{
				"texts Bob +86131: on call in data, priority 2",
				"mail Alice alice@example.com: member of data, owning team",
				"mail Bob bob@example.com: owner; member of data, owning team",
			}, flow.Major,
		},
		{
			"a low priority is mail alone", Occasion{Kind: flow.Expired, Flow: "low", Task: "plain"}, "2026-11-27T00:00:00Z", []string{
				"mail Alice alice@example.com: member of data, owning team",
				"mail Bob bob@example.com: member of data, owning team",
				"mail Dave dave@example.com: subscribed to low",
			}, flow.Minor,
		},
		{
			"news are mail alone", Occasion{Kind: flow.Recovered, Flow: "high", Task: "quiet"}, "2026-11-27T00:00:00Z", []string{
				"mail Alice alice@example.com: member of data, owning team",
				"mail Bob bob@example.com: owner; member of data, owning team",
			}, flow.Minor,
		},
		{"retries are told by rules alone", Occasion{Kind: flow.Retrying, Flow: "high", Task: "quiet"}, "2026-11-27T00:00:00Z", []string{}, flow.Minor},
		{
			"the daily report is the owner's", Occasion{Kind: flow.DailyReport, Owner: "bob"}, "2026-11-27T00:00:00Z", []string{
				"mail Bob bob@example.com: owner",
			}, flow.Minor,
		},
		{
			"or of who is on call", Occasion{Kind: flow.DailyReport, Owner: "oncall:data"}, "2026-11-27T00:00:00Z", []string{
				"mail Alice alice@example.com: on call in data, owner",
			}, flow.Minor,
		},
		{"what deviates waits for it", Occasion{Kind: flow.Deviating, Flow: "high", Task: "quiet"}, "2026-11-27T00:00:00Z", []string{}, flow.Minor},
		{
			"many generations that fail page", Occasion{Kind: flow.GenerationsFailed}, "2026-11-27T00:00:00Z", []string{
				"texts carol +86132: member of platform, admins, where nobody is on call",
				"mail carol carol@example.com: member of platform, admins",
			}, flow.Critical,
		},
		{
			"extra receivers", Occasion{Kind: flow.Failed, Flow: "low", Task: "extra"}, "2026-11-27T00:00:00Z", []string{
				"calls Dave +86233: listed under alerts.phone",
				"texts +8613900000000 +8613900000000: listed under alerts.sms",
				"mail Alice alice@example.com: member of data, owning team",
				"mail Bob bob@example.com: member of data, owning team",
				"mail crm@example.com crm@example.com: listed under alerts.email",
				"mail Dave dave@example.com: subscribed to low",
			}, flow.Critical,
		},
		{
			"nobody is called with news", Occasion{Kind: flow.Killed, Flow: "low", Task: "extra"}, "2026-11-27T00:00:00Z", []string{
				"mail Alice alice@example.com: member of data, owning team",
				"mail Bob bob@example.com: member of data, owning team",
				"mail crm@example.com crm@example.com: listed under alerts.email",
				"mail Dave dave@example.com: subscribed to low",
			}, flow.Minor,
		},
		{
			"owner only", Occasion{Kind: flow.Failed, Flow: "high", Task: "mine"}, "2026-11-27T00:00:00Z", []string{
				"texts Bob +86131: owner only, priority 2",
				"mail Bob bob@example.com: owner only, priority 2",
			}, flow.Major,
		},
		{
			"the default rule off", Occasion{Kind: flow.Failed, Flow: "low", Task: "off"}, "2026-11-27T00:00:00Z", []string{}, flow.Minor,
		},
		{
			"a rule that holds", Occasion{Kind: flow.Failed, Flow: "low", Task: "ruled", Values: values("scheduled")}, "2026-11-27T00:00:00Z", []string{
				"calls Alice +86230: on call in data, rule at f1.yaml:23",
				"texts Alice +86130: on call in data, rule at f1.yaml:23",
				"mail Alice alice@example.com: on call in data, rule at f1.yaml:23",
				"pages pages: rule at f1.yaml:23",
			}, flow.Critical,
		},
		{"a rule that does not", Occasion{Kind: flow.Failed, Flow: "low", Task: "ruled", Values: values("manual")}, "2026-11-27T00:00:00Z", []string{}, flow.Minor},
		{
			"a rule about retries", Occasion{Kind: flow.Retrying, Flow: "low", Task: "ruled", Values: values("manual")}, "2026-11-27T00:00:00Z", []string{
				"texts Bob +86131: secondary on call in data, rule at f1.yaml:24",
				"mail Bob bob@example.com: secondary on call in data, rule at f1.yaml:24",
			}, flow.Major,
		},
		{
			"a condition that cannot be evaluated tells", Occasion{Kind: flow.Killed, Flow: "low", Task: "ruled", Values: values("manual")}, "2026-11-27T00:00:00Z", []string{
				"mail Dave dave@example.com: rule at f1.yaml:25, whose condition could not be evaluated: f1.yaml:25:36: ${{ needs.plain.outputs.n > 3",
			}, flow.Minor,
		},
		{
			"a team without rotation", Occasion{Kind: flow.Failed, Flow: "ops", Task: "a"}, "2026-11-27T00:00:00Z", []string{
				"texts carol +86132: member of platform, priority 0, since nobody is on call in platform",
				"mail carol carol@example.com: member of platform, owning team",
			}, flow.Major,
		},
		{
			"a task run of a backfill is late", Occasion{Kind: flow.OutputLate, Flow: "high", Task: "load", Backfill: true, By: "carol"}, "2026-11-27T00:00:00Z", nil, flow.Minor,
		},
		{
			"lateness of a backfill is its starter's", Occasion{Kind: flow.BackfillLate, Flow: "high", Backfill: true, By: "carol"}, "2026-11-27T00:00:00Z", []string{
				"mail carol carol@example.com: started the backfill",
			}, flow.Minor,
		},
		{
			"or the owner's", Occasion{Kind: flow.BackfillLate, Flow: "high", Backfill: true, By: "admin"}, "2026-11-27T00:00:00Z", []string{
				"mail Bob bob@example.com: owner, since admin who started the backfill is not in people",
			}, flow.Minor,
		},
		{
			"minor for the platform", Occasion{Kind: flow.AgentLost}, "2026-11-27T00:00:00Z", []string{
				"mail carol carol@example.com: member of platform, admins",
			}, flow.Minor,
		},
		{
			"major for the platform", Occasion{Kind: flow.TooFewAgents, Severity: flow.Major}, "2026-11-27T00:00:00Z", []string{
				"texts carol +86132: member of platform, admins, where nobody is on call",
				"mail carol carol@example.com: member of platform, admins",
			}, flow.Major,
		},
		{
			"a flow that the revision does not have", Occasion{Kind: flow.MissingRun, Flow: "gone"}, "2026-11-27T00:00:00Z", []string{
				"mail carol carol@example.com: member of platform, admins",
			}, flow.Minor,
		},
	} {
		r := router.Route(&c.o, instant(t, c.at))
		got := lines(r)
		for i, w := range c.want { // the reason of an evaluation error is expr's
			if i < len(got) && strings.HasSuffix(w, "> 3") && strings.HasPrefix(got[i], w) {
				got[i] = w
			}
		}
		if !slices.Equal(got, c.want) || r.Severity != c.sev {
			t.Errorf("%s: %s\n  got  %s\n  want %s", c.name, r.Severity, strings.Join(got, "\n       "), strings.Join(c.want, "\n       "))
		}
	}
}

func values(kind string) *expr.Values { return &expr.Values{Run: expr.RunValues{Kind: kind}} }

func TestRouteWithOncallAdmins(t *testing.T) {
	t.Parallel()
	p := compile(t, testdata(t, "people.yaml"))
	p.Admins = []string{"data"}
	router := &Router{Project: p, Programs: &expr.Programs{}}
	r := router.Route(&Occasion{Kind: flow.OutboxStuck}, instant(t, "2026-11-27T00:00:00Z"))
	want := []string{
		"calls Alice +86230: on call in data, admins",
		"calls Bob +86231: secondary on call in data, admins",
		"texts Alice +86130: on call in data, admins",
		"texts Bob +86131: secondary on call in data, admins",
		"mail Alice alice@example.com: member of data, admins",
		"mail Bob bob@example.com: member of data, admins",
	}
	if got := lines(r); !slices.Equal(got, want) || r.Severity != flow.Critical {
		t.Errorf("got %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEscalate(t *testing.T) {
	t.Parallel()
	p := compile(t, testdata(t, "people.yaml"))
	router := &Router{Project: p, Programs: &expr.Programs{}}
	got := lines(router.Escalate(&p.Teams["data"].Escalation[0], flow.Major, instant(t, "2026-11-27T00:00:00Z")))
	want := []string{
		"texts Bob +86131: secondary on call in data, escalation: nobody acknowledged within 15m0s",
		"mail Bob bob@example.com: secondary on call in data, escalation: nobody acknowledged within 15m0s",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Trouble always reaches somebody when a channel and an address for it exist, unless the flow says that nobody is to be told.
func TestTroubleReachesSomebody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := randomProject(t)
		reachable := false
		for _, c := range p.Channels {
			for _, who := range p.People {
				reachable = reachable || c.Kind == flow.Webhook || who.Address(c.Kind) != ""
			}
		}
		for _, e := range flow.Events() {
			o := Occasion{Kind: e.Event, Severity: flow.Critical}
			if e.Subject != flow.OfPlatform {
				o.Flow, o.Task = "f", "t"
			}
			if classOf(e.Event) != trouble {
				continue
			}
			r := (&Router{Project: p, Programs: &expr.Programs{}}).Route(&o, period.Instant(rapid.Int64Range(0, 4e15).Draw(t, "at")))
			if reachable && len(r.To) == 0 {
				t.Fatalf("%s reaches nobody: %+v", e.Event, r.Nobody)
			}
			for _, a := range r.To {
				if c := p.Channels[a.Channel]; c == nil || c.Kind != a.Kind || a.Address == "" && a.Kind != flow.Webhook || len(a.Reasons) == 0 {
					t.Fatalf("%s: %+v cannot be delivered", e.Event, a)
				}
			}
		}
	})
}

func randomProject(t *rapid.T) *flow.Project {
	some := func(what string) bool { return rapid.Bool().Draw(t, what) }
	p := &flow.Project{People: map[string]*flow.Person{}, Teams: map[string]*flow.Team{}, Channels: map[string]*flow.Channel{}}
	keys := []string{"a", "b", "c"}
	address := func(what, value string) string {
		if some(what) {
			return value
		}
		return ""
	}
	for _, k := range keys {
		p.People[k] = &flow.Person{Key: k, Email: address("email", k+"@x"), SMS: address("sms", "+1"+k), Phone: address("phone", "+2"+k)}
	}
	for _, name := range []string{"team", "admins"} {
		team := &flow.Team{Name: name, Members: rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 3, rapid.ID).Draw(t, "members")}
		if some("oncall") {
			team.Oncall = &flow.Oncall{Rotate: flow.Daily, Timezone: "UTC", Order: team.Members}
		}
		p.Teams[name] = team
	}
	if some("admins") {
		p.Admins = []string{"admins"}
	}
	for _, kind := range []flow.ChannelKind{flow.Email, flow.SMS, flow.Phone, flow.Webhook} {
		if some(string(kind)) {
			p.Channels[string(kind)] = &flow.Channel{Name: string(kind), Kind: kind, Default: kind != flow.Webhook}
		}
	}
	alerts := &flow.Alerts{Default: true, OwnerOnly: some("owner only")}
	f := &flow.Flow{Name: "f", Team: "team", Owner: rapid.SampledFrom([]string{"", "a"}).Draw(t, "owner"), Priority: rapid.IntRange(0, 9).Draw(t, "priority"), Alerts: alerts}
	f.Tasks = []*flow.Task{{Name: "t", Options: &flow.Options{Alerts: alerts}}}
	p.Flows = []*flow.Flow{f}
	p.Index()
	return p
}

package dsl

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"flowctl/dsl/diag"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
)

// Compiler compiles flows repositories. It remembers what the last compile learnt of each file and flow, so that the
// next one costs what has changed. It is safe for concurrent use; compiles take turns.
type Compiler struct {
	// Year is the first of the two years whose clock changes are looked at (rule dst); 0 is none. A compile knows no clock of its own, so that the same
	// files give the same findings. It must not change while a compile runs.
	Year int
	// Channels are what the channels that come with flowctl say of their settings, by name, where the settings fit their schema. They get a
	// document with a word in the place of each expression, and again with another one. They touch nothing outside. Nil: the schema alone counts. It must not change.
	Channels map[string]func(with json.RawMessage) []Misfit

	mu      sync.Mutex
	units   map[string]*unit // by path
	catalog *catalog
	flows   map[*flowDraft]*builtFlow

	programs expr.Programs
	schemas  schemas
}

// Misfit is something that is wrong with the settings of a plugin.
type Misfit struct {
	Path    string // a JSON pointer
	Message string
}

// New returns a compiler that remembers nothing yet.
func New() *Compiler { return &Compiler{} }

// Compile compiles a repository. It returns all diagnostics, sorted by place; the project is nil when one of them is an error. Files may
// come in any order; those that are neither YAML nor named by a task cost nothing.
func (c *Compiler) Compile(files []File) (*flow.Project, []diag.Diagnostic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	run := &compilation{c: c, files: files}
	for _, stage := range stages() {
		stage.do(run)
	}
	if slices.ContainsFunc(run.diagnostics, func(d diag.Diagnostic) bool { return d.Severity == diag.Error }) {
		return nil, run.diagnostics
	}
	return run.project, run.diagnostics
}

// stage is one step of a compile.
type stage struct {
	name string
	do   func(*compilation)
}

// stages lists the steps in their order. Every stage runs, whatever the ones before it found, so that one pass reports
// everything; a stage says nothing about what it cannot know because an earlier one failed.
func stages() []stage {
	return []stage{
		// Reads each changed YAML file into drafts. Knows one file at a time; runs on all cores.
		{"read", (*compilation).read},
		// Collects settings, people, teams and calendars of all files. Flows are built on top of them.
		{"catalog", (*compilation).collect},
		// Knows all flows by name, with the names of their tasks. Needs are looked up in it.
		{"index", (*compilation).index},
		// Makes each flow whose draft, or whose surroundings, changed: defaults, matrix, schedule, needs, expressions.
		{"build", (*compilation).build},
		// Looks for knots, which only the graph over all flows shows.
		{"knots", (*compilation).knots},
		// Connects readers and writers of data, and finds tasks by the ids they had: both need the tasks of all flows.
		{"lineage", (*compilation).lineage},
		{"former ids", (*compilation).formerIDs},
		// Reads the tests of flows, which name flows, tasks and periods. Nothing depends on them.
		{"tests", (*compilation).tests},
		// Looks for what is valid, but hardly meant.
		{"lint", (*compilation).lint},
		// Sorts what was found, drops what is silenced or merely follows from something else.
		{"report", (*compilation).report},
		// Puts the project together. Worth doing only now: most of it is not used when there are errors.
		{"assemble", (*compilation).assemble},
	}
}

// finding is a diagnostic and, for a name that nothing defines, that name, with its kind when it is a plugin's.
type finding struct {
	diag.Diagnostic
	unknown string
	plugin  flow.PluginKind
}

func (f finding) isError() bool { return isError(f.Diagnostic) }

// compilation is the state of one Compile.
type compilation struct {
	c           *Compiler
	files       []File
	byPath      map[string]*File
	units       []*unit // by path
	catalog     *catalog
	drafts      map[string]*flowDraft
	names       []string // of all flows, sorted
	former      map[string]flow.TaskRef
	built       []*builtFlow
	data        []flow.DataEdge
	missed      map[string]string // answers of missing, by the schedules and expressions
	testDocs    []*flow.Test
	findings    []finding
	diagnostics []diag.Diagnostic
	project     *flow.Project
}

func (r *compilation) add(findings ...diag.Diagnostic) {
	for _, d := range findings {
		r.findings = append(r.findings, finding{Diagnostic: d})
	}
}

// errorAt makes an error diagnostic.
func errorAt(at flow.Pos, rule, hint, message string) diag.Diagnostic {
	return diag.Diagnostic{File: at.File, Line: at.Line, Col: at.Col, Rule: rule, Message: message, Hint: hint}
}

// warningAt makes a warning diagnostic.
func warningAt(at flow.Pos, rule, hint, message string) diag.Diagnostic {
	d := errorAt(at, rule, hint, message)
	d.Severity = diag.Warning
	return d
}

func relatedAt(at flow.Pos, message string) *diag.Related {
	return &diag.Related{File: at.File, Line: at.Line, Col: at.Col, Message: message}
}

func (r *compilation) read() {
	r.byPath = make(map[string]*File, len(r.files))
	for i := range r.files {
		r.byPath[r.files[i].Path] = &r.files[i]
	}
	var ignore ignoreList
	if f := r.byPath[IgnoreFile]; f != nil {
		ignore = parseIgnore(f.Data)
	}
	documents := make([]*File, 0, len(r.files))
	for i := range r.files {
		f := &r.files[i]
		switch {
		case !IsDocument(f.Path) && f.Path != LockFile || r.byPath[f.Path] != f || ignore.skipsPath(f.Path):
		case f.Mode == modeSymlink:
			r.add(errorAt(flow.Pos{File: f.Path}, diag.Syntax, "copy the file, or name the link in "+IgnoreFile, "a YAML file that is a symbolic link is not read"))
		default:
			documents = append(documents, f)
		}
	}
	slices.SortFunc(documents, func(a, b *File) int { return cmp.Compare(a.Path, b.Path) })
	r.units = make([]*unit, len(documents))
	parallel(len(documents), func(i int) {
		f := documents[i]
		sum := sha256.Sum256(f.Data)
		if u := r.c.units[f.Path]; u != nil && u.sum == sum {
			r.units[i] = u
			return
		}
		r.units[i] = readUnit(f.Path, f.Data)
		r.units[i].sum = sum
	})
	r.c.units = make(map[string]*unit, len(r.units))
	for _, u := range r.units {
		r.c.units[u.path] = u
		r.add(u.findings...)
	}
}

// readUnit reads one file on its own.
func readUnit(name string, data []byte) *unit {
	u := &unit{path: name}
	content, problem := normalize(data)
	var docs []*node
	if problem == nil {
		docs, problem = parseYAML(content)
	}
	if problem != nil {
		u.broken = content
		u.findings = []diag.Diagnostic{errorAt(flow.Pos{File: name, Line: problem.line, Col: problem.col}, diag.Syntax, problem.hint, problem.msg)}
		return u
	}
	d := &decoder{src: &source{path: name, text: content}, folder: path.Dir(name)}
	if len(docs) == 0 {
		d.reportAt(flow.Pos{File: name, Line: 1, Col: 1}, diag.Syntax, "delete it, or write a document that begins with `flow: NAME`", "the file holds no document")
	}
	for i, n := range docs {
		d.document(u, n, i)
	}
	faulty := slices.ContainsFunc(d.findings, isError)
	for _, f := range u.flows {
		f.faulty = faulty
	}
	for _, n := range docs {
		d.plainSecrets(n)
	}
	u.findings, u.silences = d.findings, silences(d.src)
	return u
}

// document reads one document by its top-level key; flowctl.yaml by its name.
func (d *decoder) document(u *unit, n *node, i int) {
	if d.src.path == LockFile {
		if i > 0 {
			d.report(n, diag.Duplicate, "keep one document", "plugins.lock holds more than one document")
			return
		}
		d.lock(n, u)
		return
	}
	if d.src.path == SettingsFile {
		if i > 0 {
			d.report(n, diag.Duplicate, "keep one document", "flowctl.yaml holds more than one document")
			return
		}
		u.settings = d.settings(n)
		return
	}
	if n.kind != mappingNode {
		d.report(n, diag.WrongType, "begin it with `flow: NAME`, or with `people:`, `teams:` or `calendars:`", "a document is a mapping, not %s", n.describe())
		return
	}
	switch {
	case n.field("flow") != nil:
		u.flows = append(u.flows, d.flow(n))
		return
	case n.field("test") != nil:
		u.tests = append(u.tests, testDraft{d.src, n})
		return
	}
	if path.Base(d.src.path) == SettingsFile {
		d.report(n, diag.Duplicate, "keep the settings in the flowctl.yaml of the flows root", "a second flowctl.yaml, below the flows root")
		return
	}
	if problem := d.mistakenFlow(n); problem != nil {
		d.report(problem, diag.Missing, "begin it with `flow: NAME`", "the document has fields of a flow, but no name")
		return
	}
	d.catalog(n, u)
}

// mistakenFlow returns the first key when a document looks like a flow without its `flow` key.
func (d *decoder) mistakenFlow(n *node) *node {
	for _, p := range n.pairs {
		if p.key.text == "tasks" {
			return n.pairs[0].key
		}
	}
	return nil
}

func (r *compilation) index() {
	r.drafts = make(map[string]*flowDraft)
	for _, u := range r.units {
		for _, f := range u.flows {
			name := f.name.value
			if name == "" {
				continue
			}
			if first := r.drafts[name]; first != nil {
				d := errorAt(f.name.at, diag.Duplicate, "rename one of them", "a second flow named "+strconv.Quote(name))
				d.Related = relatedAt(first.name.at, "first defined here")
				r.add(d)
				continue
			}
			r.drafts[name] = f
			r.names = append(r.names, name)
		}
	}
	slices.Sort(r.names)
	r.former = r.formerTasks()
}

func (r *compilation) build() {
	env := &surroundings{catalog: r.catalog, drafts: r.drafts, files: r.byPath, flowNames: r.names, former: r.former, programs: &r.c.programs}
	r.built = make([]*builtFlow, len(r.names))
	parallel(len(r.names), func(i int) {
		draft := r.drafts[r.names[i]]
		if b := r.c.flows[draft]; b != nil && b.holds(env) {
			r.built[i] = b
			return
		}
		r.built[i] = env.build(draft)
	})
	r.c.flows = make(map[*flowDraft]*builtFlow, len(r.built))
	for _, b := range r.built {
		r.c.flows[b.draft] = b
		r.findings = append(r.findings, b.findings...)
	}
	for _, u := range r.units { // duplicates are checked too, but nothing is kept of them
		for _, f := range u.flows {
			if r.drafts[f.name.value] != f {
				r.findings = append(r.findings, env.build(f).findings...)
			}
		}
	}
}

func (r *compilation) report() {
	r.silence()
	r.findings = slices.DeleteFunc(r.findings, func(f finding) bool { return f.unknown != "" && r.mayBeBroken(f.unknown) })
	r.diagnostics = make([]diag.Diagnostic, 0, len(r.findings))
	for _, f := range r.findings {
		r.diagnostics = append(r.diagnostics, f.Diagnostic)
	}
	r.diagnostics = diag.Sort(r.diagnostics)
	diag.Quote(r.diagnostics, func(file string) []byte {
		if f := r.byPath[file]; f != nil {
			return f.Data
		}
		return nil
	})
}

// mayBeBroken tells whether a name that nothing defines stands in a file that could not be read: then it is the file that wants mending.
func (r *compilation) mayBeBroken(name string) bool {
	for _, u := range r.units {
		if u.broken != "" && strings.Contains(u.broken, name) {
			return true
		}
	}
	return false
}

func (r *compilation) assemble() {
	c := r.catalog
	p := &flow.Project{
		Timezone: c.timezone, Admins: c.admins, People: c.people, Teams: c.teams, Channels: c.channels, Accounts: c.accounts,
		Secrets: c.secrets, Pools: c.pools, Connections: make(map[string]*flow.Connection, len(c.connections)), Signals: c.signals,
		Plugins: make(map[string]*flow.Plugin, len(c.plugins)), Monitors: c.monitors, Watchdog: c.watchdog,
		Flows: make([]*flow.Flow, len(r.built)), Data: r.data, Tests: r.testDocs,
	}
	for name, x := range c.connections {
		x.Address = address(c.schemaOf(flow.RunnerPlugin, x.Runner), x.With)
		p.Connections[name] = x.Connection
	}
	for name, x := range c.plugins {
		p.Plugins[name] = x.Plugin
	}
	for i, b := range r.built {
		p.Flows[i] = b.flow
	}
	p.Hash = hashProject(p, r.built)
	p.Index()
	r.project = p
}

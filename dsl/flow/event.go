package flow

// Event is something that alerts tell of.
type Event string

// The events.
const (
	Failed            Event = "failed"
	Retrying          Event = "retrying"
	Killed            Event = "killed"
	Expired           Event = "expired"
	Recovered         Event = "recovered"
	DependencyLate    Event = "dependency_late"
	OutputLate        Event = "output_late"
	LongRunning       Event = "long_running"
	Deviating         Event = "deviating"
	Zombie            Event = "zombie"
	Redispatched      Event = "redispatched"
	GateFailed        Event = "gate_failed"
	MissingRun        Event = "missing_run"
	GenerationFailed  Event = "generation_failed"
	GenerationsFailed Event = "generations_failed"
	BackfillFinished  Event = "backfill_finished"
	BackfillSkipped   Event = "backfill_skipped"
	BackfillLate      Event = "backfill_late"
	SyncFailed        Event = "sync_failed"
	AgentLost         Event = "agent_lost"
	TooFewAgents      Event = "too_few_agents"
	TooFewServers     Event = "too_few_servers"
	RedispatchStorm   Event = "redispatch_storm"
	SlowGeneration    Event = "slow_generation"
	SlowChecks        Event = "slow_checks"
	HostExhausted     Event = "host_exhausted"
	ConnectionDown    Event = "connection_down"
	DeliveryFailed    Event = "delivery_failed"
	DailyReport       Event = "daily_report"
	OutboxStuck       Event = "outbox_stuck"
)

// Subject is what an event happens to.
type Subject string

// The subjects.
const (
	OfTask     Subject = "task"     // a task run
	OfFlow     Subject = "flow"     // a flow or a run of it
	OfOwner    Subject = "owner"    // a person, or the on-call person of a team, who answers for flows; no flow's rule hears of it
	OfPlatform Subject = "platform" // the installation; no flow's rule hears of it
)

// EventKind is one row of the table of events.
type EventKind struct {
	Event   Event
	Subject Subject
	Means   string // one line, for people
}

// Events is the table of all events.
func Events() []EventKind {
	return []EventKind{
		{Failed, OfTask, "its last attempt failed"},
		{Retrying, OfTask, "an attempt failed and another will follow"},
		{Killed, OfTask, "it was killed"},
		{Expired, OfTask, "it did not start before expire_after"},
		{Recovered, OfTask, "it succeeded after an alert"},
		{DependencyLate, OfTask, "its dependencies were not met within dependency_timeout"},
		{OutputLate, OfTask, "it had not succeeded within output_timeout"},
		{LongRunning, OfTask, "it runs for more than two hours"},
		{Deviating, OfTask, "its duration deviates much from what it was"},
		{Zombie, OfTask, "it was recorded as running, but its process was gone"},
		{Redispatched, OfTask, "its agent did not start it in time, and another one got it"},
		{GateFailed, OfTask, "its gate could not be asked"},
		{MissingRun, OfFlow, "a period that should have a run has none"},
		{GenerationFailed, OfFlow, "a run could not be made as its flow says, and retries did not help"},
		{BackfillFinished, OfFlow, "a backfill ended"},
		{BackfillSkipped, OfFlow, "a backfill left periods alone that have an unfinished run"},
		{BackfillLate, OfFlow, "a task run of a backfill is late, the first of it"},
		{SyncFailed, OfPlatform, "a commit was rejected, or the repository could not be read"},
		{AgentLost, OfPlatform, "an agent did not answer any more"},
		{TooFewAgents, OfPlatform, "fewer agents are connected than the monitor wants"},
		{TooFewServers, OfPlatform, "fewer servers are up than the monitor wants"},
		{RedispatchStorm, OfPlatform, "a host gives too many attempts back"},
		{GenerationsFailed, OfPlatform, "more than ten runs of one round could not be made as their flows say"},
		{SlowGeneration, OfPlatform, "runs are made late"},
		{SlowChecks, OfPlatform, "dependencies are checked late"},
		{HostExhausted, OfPlatform, "an agent's host runs out of CPU, memory or disk"},
		{ConnectionDown, OfPlatform, "a system that tasks need is not reached, or answers late"},
		{DeliveryFailed, OfPlatform, "an alert could not be delivered"},
		{OutboxStuck, OfPlatform, "alerts wait for long and are not delivered"},
		{DailyReport, OfOwner, "attempts of the last day took over two hours, or deviated much from what was usual"},
	}
}

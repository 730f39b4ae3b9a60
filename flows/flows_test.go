// Package flows_test runs the scripts of the example repository as the engine would, without the engine: a whole week, with
// as much at a time as the needs allow. What the weekly report says must be what a direct computation from the generator's
// definition gives.
package flows_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// monday begins the week under test.
var monday = time.Date(2026, time.November, 9, 0, 0, 0, 0, time.UTC)

const dailyCosts = 2_500_00 // cents, see balance/balance.py

func TestWeek(t *testing.T) {
	t.Parallel()
	w := &warehouse{t: t, workspace: t.TempDir()}
	days := make([]string, 7)
	for n := range days {
		days[n] = monday.AddDate(0, 0, n).Format(time.DateOnly)
	}

	w.atOnce(days, w.ingestAndLoad)
	for _, day := range days { // each balance needs the one before
		w.mustRun("balance", period(day), []string{"FIRST_DAY=" + days[0]}, "python3", "balance.py", day)
	}
	outputs := w.mustRun("weekly", nil, nil, "python3", "collect.py", "2026-W46", days[0])
	w.mustRun("weekly", nil, []string{"BEST_DAY=" + outputs["best_day"]}, "./render.sh", "2026-W46")

	if got, want := w.read("reports/2026-W46.txt"), expectedReport(days); got != want {
		t.Errorf("the report says:\n%s\nwant:\n%s", got, want)
	}
	for _, day := range days {
		w.read("mart/" + day + "/_SUCCESS")
	}
}

func TestCustomerExport(t *testing.T) {
	t.Parallel()
	w := &warehouse{t: t, workspace: t.TempDir()}
	day := monday.Format(time.DateOnly)
	w.ingestAndLoad(day)
	w.mustRun("customer", nil, nil, "python3", "export.py", "7", "it's $(all)")

	count := 0
	for _, o := range ordersOf(day) {
		if o.customer == 7 {
			count++
		}
	}
	if got := strings.Count(w.read("exports/customer-7.csv"), "\n") - 1; got != count || count == 0 {
		t.Errorf("exported %d orders of customer 7, want %d (and some)", got, count)
	}
	if _, err := w.run("customer", nil, nil, "python3", "export.py", "seven", ""); err == nil {
		t.Error("a customer that is no number is accepted")
	}
}

// TestRerun repeats every task of a day: nothing may be counted twice.
func TestRerun(t *testing.T) {
	t.Parallel()
	w := &warehouse{t: t, workspace: t.TempDir()}
	day := monday.Format(time.DateOnly)
	w.ingestAndLoad(day)
	first := w.mustRun("balance", period(day), []string{"FIRST_DAY=" + day}, "python3", "balance.py", day)
	w.ingestAndLoad(day)
	second := w.mustRun("balance", period(day), []string{"FIRST_DAY=" + day}, "python3", "balance.py", day)
	if first["closing"] != second["closing"] {
		t.Errorf("the balance was %s, after a rerun %s", first["closing"], second["closing"])
	}
}

// TestMissingHour takes an hour away: the mart must refuse to publish a day that is not whole.
func TestMissingHour(t *testing.T) {
	t.Parallel()
	w := &warehouse{t: t, workspace: t.TempDir()}
	day := monday.Format(time.DateOnly)
	w.ingest(day)
	if err := os.Remove(filepath.Join(w.workspace, "clean/orders", day+"T13.csv")); err != nil {
		t.Fatal(err)
	}
	out, err := w.run("sales", period(day), nil, "python3", "load.py", day, "10850")
	if err == nil || !strings.Contains(out.log, "24 hours, but 23") {
		t.Errorf("load accepted a day of 23 hours: %v\n%s", err, out.log)
	}
}

// warehouse runs tasks on one workspace.
type warehouse struct {
	t         *testing.T
	workspace string
}

// ingest runs shop.orders for every hour of a day, some at once.
func (w *warehouse) ingest(day string) {
	hours := make([]string, 24)
	for n := range hours {
		hours[n] = fmt.Sprintf("%sT%02d", day, n)
	}
	w.atOnce(hours, func(hour string) {
		w.mustRun("orders", nil, nil, "./fetch.sh", hour)
		outputs := w.mustRun("orders", nil, nil, "./clean.sh", hour)
		if outputs["rejected"] != "0" {
			w.mustRun("orders", nil, nil, "./quarantine.sh", hour, outputs["rejected"])
		}
	})
}

// ingestAndLoad runs shop.orders, market.rates and warehouse.sales for one day.
func (w *warehouse) ingestAndLoad(day string) {
	w.ingest(day)
	rates, err := w.run("rates", nil, nil, "./fetch.sh", day)
	if err != nil { // the first attempt fails by design; the retry must not
		rates.outputs = w.mustRun("rates", nil, nil, "./fetch.sh", day)
	}
	loaded := w.mustRun("sales", period(day), nil, "python3", "load.py", day, rates.outputs["usd"])
	w.atOnce([]string{"eu", "us", "asia"}, func(region string) {
		w.mustRun("sales", nil, nil, "python3", "by_region.py", day, region)
	})
	w.mustRun("sales", nil, []string{"ORDERS=" + loaded["orders"], "CENTS=" + loaded["cents"]}, "./publish.sh", day)
}

// atOnce calls f for all items, up to eight at a time.
func (w *warehouse) atOnce(items []string, f func(string)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, item := range items {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			f(item)
		})
	}
	wg.Wait()
}

// ended is what an attempt left behind.
type ended struct {
	log     string
	outputs map[string]string
}

// run executes one command in the folder of a flow, as an agent would.
func (w *warehouse) run(folder string, period, env []string, argv ...string) (ended, error) {
	output, err := os.CreateTemp(w.t.TempDir(), "output")
	if err != nil {
		return ended{}, err
	}
	defer output.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "FLOWCTL_WORKSPACE="+w.workspace, "FLOWCTL_OUTPUT="+output.Name())
	cmd.Env = append(append(cmd.Env, period...), env...)
	log, runErr := cmd.CombinedOutput()
	text, err := os.ReadFile(output.Name())
	if err != nil {
		return ended{}, err
	}
	e := ended{string(log), map[string]string{}}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		e.outputs[key] = value
	}
	return e, runErr
}

func (w *warehouse) mustRun(folder string, period, env []string, argv ...string) map[string]string {
	e, err := w.run(folder, period, env, argv...)
	if err != nil {
		w.t.Errorf("%s: %v: %v\n%s", folder, argv, err, e.log)
	}
	return e.outputs
}

func (w *warehouse) read(path string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.workspace, path))
	if err != nil {
		w.t.Error(err)
	}
	return string(text)
}

// period is the environment that tells a task the bounds of a day in Berlin, in winter.
func period(day string) []string {
	start, _ := time.Parse(time.DateOnly, day)
	start = start.Add(-time.Hour)
	return []string{
		"FLOWCTL_PERIOD_START=" + start.Format(time.RFC3339),
		"FLOWCTL_PERIOD_END=" + start.Add(24*time.Hour).Format(time.RFC3339),
	}
}

type order struct {
	customer int
	region   string
	cents    int // euro cents
}

// ordersOf computes the valid orders of a day from the definition in orders/fetch.sh.
func ordersOf(day string) []order {
	date, err := strconv.Atoi(strings.ReplaceAll(day, "-", ""))
	if err != nil {
		panic(err)
	}
	usd := 10500 + date*7%600 // see rates/fetch.sh

	var orders []order
	for hour := range 24 {
		x := (date*100 + hour) % 2147483647
		roll := func(n int) int { x = 16807 * x % 2147483647; return x % n }
		for range 5 {
			roll(1)
		}
		for range 10 + roll(15) {
			o := order{region: []string{"eu", "us", "asia"}[roll(3)], customer: 1 + roll(40), cents: 100 + roll(20000)}
			roll(60)
			broken := roll(40) == 0
			roll(50)
			if o.region == "us" {
				o.cents = o.cents * 10000 / usd
			}
			if !broken {
				orders = append(orders, o)
			}
		}
	}
	return orders
}

func expectedReport(days []string) string {
	type line struct {
		day                    string
		orders, cents, closing int
	}
	var lines []line
	total, best := line{day: "total"}, 0
	for n, day := range days {
		l := line{day: day}
		for _, o := range ordersOf(day) {
			l.orders++
			l.cents += o.cents
		}
		total.orders += l.orders
		total.cents += l.cents
		total.closing += l.cents - dailyCosts
		l.closing = total.closing
		lines = append(lines, l)
		if l.cents > lines[best].cents {
			best = n
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Sales of 2026-W46\n\n%-12s%8s%14s%14s\n", "day", "orders", "sales EUR", "in hand EUR")
	for n, l := range append(lines, total) {
		mark := ""
		if n == best {
			mark = "  best day"
		}
		fmt.Fprintf(&b, "%-12s%8d%14.2f%14.2f%s\n", l.day, l.orders, float64(l.cents)/100, float64(l.closing)/100, mark)
	}
	return b.String()
}

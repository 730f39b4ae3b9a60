//go:build linux

package hive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/plugins/sdk"
	"flowctl/runners/hive/hivetest"
)

// yarn is a YARN of one node, on which the jobs of a HiveServer2 of its own are processes: one that manages a session's, and one that does the work.
type yarn struct {
	in  io.WriteCloser
	out *bufio.Scanner
	hs2 *hivetest.Server
}

// startYARN starts both until the test ends.
func startYARN(t *testing.T) *yarn {
	t.Helper()
	hivetest.Want(t)
	peers, err := filepath.Abs("../../bin/peers")
	if err != nil {
		t.Fatal(err)
	}
	hadoop, hive := filepath.Join(peers, "hadoop", "jars"), filepath.Join(peers, "hive")
	if _, err := os.Stat(hadoop); err != nil {
		t.Skip("wants Hadoop's minicluster: run scripts/peers")
	}
	source, err := filepath.Abs(filepath.Join("testdata", "Yarn.java"))
	if err != nil {
		t.Fatal(err)
	}
	java, err := exec.LookPath("java")
	if err == nil {
		java, err = filepath.EvalSymlinks(java)
	}
	if err != nil {
		t.Fatal(err)
	}
	lacking, err := filepath.Glob(filepath.Join(hive, "lib", "bc*-jdk15on-*.jar")) // that of Hadoop's jar
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(java, "-Xmx384m", "-cp", strings.Join(append(lacking, hadoop+"/*", hive+"/late/*"), ":"), source)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "JAVA_HOME="+filepath.Dir(filepath.Dir(java)), "JDK_JAVA_OPTIONS="+hivetest.Opens())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stderr = &log
	y := &yarn{}
	if y.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	y.out = bufio.NewScanner(out)
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the signal is sent when this thread ends
		started <- cmd.Start()
		<-ended
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = y.in.Close()
		_ = cmd.Wait()
		close(ended)
		if t.Failed() {
			t.Logf("YARN says:\n%s\nHiveServer2 says:\n%s", log.String(), y.hs2.Log())
		}
	})
	var manager, scheduler string
	if _, err := fmt.Sscan(y.answer(t), &manager, &scheduler); err != nil {
		t.Fatal(err)
	}
	y.hs2, err = hivetest.Start(
		"tez.local.mode=false", "yarn.resourcemanager.address="+manager, "yarn.resourcemanager.scheduler.address="+scheduler,
		"tez.ignore.lib.uris=true", "tez.cluster.additional.classpath.prefix="+hive+"/lib/*:"+hive+"/late/*",
		"hive.user.install.directory=file://"+dir+"/install", "hive.jar.directory=file://"+dir+"/install", "tez.staging-dir=file://"+dir+"/staging",
		"tez.am.resource.memory.mb=384", "tez.am.launch.cmd-opts=-Xmx256m", "hive.tez.java.opts=-Xmx192m",
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(y.hs2.Stop)
	y.hs2.Ready(t)
	return y
}

// answer is the next line that YARN prints.
func (y *yarn) answer(t *testing.T) string {
	t.Helper()
	if !y.out.Scan() {
		t.Fatalf("YARN has ended: %v", y.out.Err())
	}
	return y.out.Text()
}

// applications lists those that YARN says are not over.
func (y *yarn) applications(t *testing.T) []string {
	t.Helper()
	if _, err := fmt.Fprintln(y.in); err != nil {
		t.Fatal(err)
	}
	return strings.Fields(y.answer(t))
}

// containers lists the processes that YARN runs for an application, whatever it says.
func containers(t *testing.T, application string) (pids []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		line, _ := os.ReadFile(path) // it may just have ended
		if strings.Contains(string(line), "/"+application+"/container_") {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

// works tells whether one of them does the work of the job.
func works(t *testing.T, pids []string) bool {
	t.Helper()
	return slices.ContainsFunc(pids, func(pid string) bool {
		line, _ := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
		return strings.Contains(string(line), "TezChild")
	})
}

var applicationID = regexp.MustCompile(`application_[0-9]+_[0-9]+`)

// A kill and a timeout end the jobs on a cluster, also one that does not heed interrupts: no process is left of them.
// It has the machine to itself: five Java processes are enough.
func TestJobsEnd(t *testing.T) {
	y := startYARN(t)
	with, err := json.Marshal(map[string]any{"host": "127.0.0.1", "port": y.hs2.Port, "user": "etl", "connect_timeout": "1m", "poll": "100ms"})
	if err != nil {
		t.Fatal(err)
	}
	here := newSite(t)
	// It sleeps for hours, a row at a time, and takes an interrupt for the end of a row.
	spec := sdk.Spec{With: with, Text: `set hive.fetch.task.conversion=none;
select i, reflect('java.lang.Thread', 'sleep', cast(100 + 0 * i as bigint)) from (select posexplode(split(space(100000), ' ')) as (i, x)) a`}

	// end runs it until its job works, calls at, and returns how it ended.
	end := func(name string, at func(work string)) (_ sdk.Result, application string, worked bool) {
		work := here.start(name, spec)
		r, log := here.wait(work, func(log string) {
			if application = applicationID.FindString(log); application == "" || worked {
				return
			}
			for over := false; !worked && !over; {
				time.Sleep(100 * time.Millisecond) // they are the processes of another
				worked = works(t, containers(t, application))
				_, err := os.Stat(filepath.Join(work, recordFile))
				over = err != nil // it is over on the server
			}
			if worked {
				at(work)
			}
		})
		if t.Failed() || !worked {
			t.Logf("%s: %+v\n%s", name, r, log)
		}
		return r, application, worked
	}
	gone := func(application string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			left, said := containers(t, application), slices.Contains(y.applications(t), application)
			if len(left) == 0 && !said {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the processes %v are left of %s, and that YARN runs it is %v", left, application, said)
			}
		}
	}

	r, application, worked := end("kill", func(work string) { tell(here, work, sdk.Terminate) })
	if r.State != sdk.Killed || !worked {
		t.Fatalf("%+v, and that it had worked is %v", r, worked)
	}
	gone(application)

	for spec.Timeout = 20 * time.Second; ; spec.Timeout *= 2 { // until it is long enough for the start of a job on this machine
		r, application, worked = end(fmt.Sprint("timeout-", spec.Timeout), func(string) {})
		if r.State != sdk.Failed || r.Code != sdk.CodeTimeout {
			t.Fatalf("%+v", r)
		}
		if worked {
			break
		}
	}
	gone(application)
}

package hive

import (
	"slices"
	"testing"

	"github.com/beltran/gohive/hiveserver"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	code := func(n int32) *int32 { return &n }
	for name, c := range map[string]struct {
		status hiveserver.TStatus
		want   string
		gone   bool
	}{
		"all is said": {hiveserver.TStatus{
			StatusCode: hiveserver.TStatusCode_ERROR_STATUS, ErrorMessage: text("FAILED: Table not found 't'"), SqlState: text("42S02"), ErrorCode: code(10001),
			InfoMessages: []string{"*org.apache.hive.service.cli.HiveSQLException:FAILED: Table not found 't':28:27", "org.apache.A:b:A.java:1", "*java.sql.SQLException:Table not found 't':3:2"},
		}, "FAILED: Table not found 't' (SQL state 42S02, code 10001)", false},
		"only the cause tells": {hiveserver.TStatus{
			StatusCode: hiveserver.TStatusCode_ERROR_STATUS, ErrorMessage: text("Error running query"),
			InfoMessages: []string{"*org.apache.hive.service.cli.HiveSQLException:Error running query:30:29", "*java.lang.NoClassDefFoundError:org/apache/Snapshot:80:50"},
		}, "Error running query: java.lang.NoClassDefFoundError:org/apache/Snapshot", false},
		"a state alone":        {hiveserver.TStatus{StatusCode: hiveserver.TStatusCode_ERROR_STATUS, ErrorMessage: text("no"), SqlState: text("08S01")}, "no (SQL state 08S01)", false},
		"nothing is said":      {hiveserver.TStatus{StatusCode: hiveserver.TStatusCode_ERROR_STATUS}, "the server reports an error and does not say which", false},
		"no such session":      {hiveserver.TStatus{StatusCode: hiveserver.TStatusCode_ERROR_STATUS, ErrorMessage: text("Invalid SessionHandle: SessionHandle [x]")}, "Invalid SessionHandle: SessionHandle [x]", true},
		"a handle of no worth": {hiveserver.TStatus{StatusCode: hiveserver.TStatusCode_INVALID_HANDLE_STATUS}, "Invalid OperationHandle", true},
	} {
		err := check(&c.status)
		if err == nil || err.Error() != c.want || gone(err) != c.gone || !answered(err) {
			t.Errorf("%s: %v, gone %v; want %s", name, err, gone(err), c.want)
		}
	}
	if err := check(&hiveserver.TStatus{StatusCode: hiveserver.TStatusCode_SUCCESS_WITH_INFO_STATUS}); err != nil {
		t.Error(err)
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	got := rowsOf(&hiveserver.TRowSet{Columns: []*hiveserver.TColumn{
		{I32Val: &hiveserver.TI32Column{Values: []int32{1, 0, -3}, Nulls: []byte{2}}},
		{StringVal: &hiveserver.TStringColumn{Values: []string{"a\tb", "", "c"}, Nulls: []byte{0}}},
		{BinaryVal: &hiveserver.TBinaryColumn{Values: [][]byte{{0, 255}, nil}}}, // shorter than it should be
		{},
	}})
	want := [][]string{{"1", "a\tb", "00ff", ""}, {"NULL", "", "", ""}, {"-3", "c", "", ""}}
	if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("got %q, want %q", got, want)
	}
	if line := tabbed(got[0]); line != `1	a\tb	00ff	` {
		t.Errorf("the line is %q", line)
	}
	if rows := rowsOf(nil); rows != nil {
		t.Errorf("no answer gives %q", rows)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	tez := []string{"VERTICES", "MODE", "STATUS", "TOTAL", "COMPLETED"}
	for want, p := range map[string]*hiveserver.TProgressUpdateResp{
		"":                              nil,
		"42%: Map 1 3/7, Reducer 2 0/1": {HeaderNames: tez, ProgressedPercentage: 0.429, Rows: [][]string{{"Map 1 .......", "llap", "RUNNING", "7", "3"}, {"Reducer 2", "llap", "INITED", "1", "0"}, {"short"}}},
		"7%":                            {HeaderNames: []string{"STAGE"}, ProgressedPercentage: 0.07, Rows: [][]string{{"1"}}},
	} {
		if got := progress(p); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

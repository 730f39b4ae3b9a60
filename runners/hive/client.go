package hive

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/beltran/gohive/hiveserver"
)

// callTime bounds a call that the server answers at once, or after its own long poll (hive.server2.long.polling.timeout).
const callTime = time.Minute

// problem is an error that the server answers.
type problem struct {
	message string // Hive's
	state   string // SQLSTATE
	code    int32  // of Hive's ErrorMsg
}

func (p *problem) Error() string {
	text := strings.TrimSpace(p.message)
	if text == "" {
		text = "the server reports an error and does not say which"
	}
	switch {
	case p.state != "" && p.code != 0:
		return fmt.Sprintf("%s (SQL state %s, code %d)", text, p.state, p.code)
	case p.state != "":
		return fmt.Sprintf("%s (SQL state %s)", text, p.state)
	}
	return text
}

// gone tells whether the server has no such session or operation any more.
func gone(err error) bool {
	var p *problem
	if !errors.As(err, &p) {
		return false
	}
	for _, text := range []string{"Invalid SessionHandle", "Invalid OperationHandle", "Session does not exist"} { // there is no code for it
		if strings.Contains(p.message, text) {
			return true
		}
	}
	return false
}

// answered tells whether an error came from the server. Any other one means that the connection is of no use any more.
func answered(err error) bool {
	var p *problem
	return errors.As(err, &p)
}

// check makes an error of a status that is one.
func check(s *hiveserver.TStatus) error {
	switch s.GetStatusCode() {
	case hiveserver.TStatusCode_SUCCESS_STATUS, hiveserver.TStatusCode_SUCCESS_WITH_INFO_STATUS, hiveserver.TStatusCode_STILL_EXECUTING_STATUS:
		return nil
	case hiveserver.TStatusCode_INVALID_HANDLE_STATUS:
		return &problem{message: "Invalid OperationHandle"}
	}
	p := &problem{message: s.GetErrorMessage(), state: s.GetSqlState(), code: s.GetErrorCode()}
	if cause := rootCause(s.GetInfoMessages()); !strings.Contains(p.message, cause) {
		p.message += ": " + cause
	}
	return p
}

// causeLine begins the part of a stack trace that is about one exception: *class:message:lines:lines in common.
var causeLine = regexp.MustCompile(`(?s)^\*(.*):\d+:\d+$`)

// rootCause is the last exception that a stack trace of the server names: Hive's own message may say nothing but "Error running query".
func rootCause(trace []string) string {
	cause := ""
	for _, line := range trace {
		if m := causeLine.FindStringSubmatch(line); m != nil {
			cause = m[1]
		}
	}
	if class, message, _ := strings.Cut(cause, ":"); message != "" && strings.HasSuffix(class, "SQLException") {
		return message // the class says nothing
	}
	return cause
}

// call runs one call; the end of ctx ends it, and with it the connection.
func call[T interface{ GetStatus() *hiveserver.TStatus }](ctx context.Context, c *client, f func(context.Context) (T, error)) (T, error) {
	stop := context.AfterFunc(ctx, c.close)
	answer, err := f(ctx)
	if !stop() {
		return answer, ctx.Err()
	}
	if err != nil {
		return answer, err
	}
	return answer, check(answer.GetStatus())
}

// soon is call for what the server answers soon.
func soon[T interface{ GetStatus() *hiveserver.TStatus }](ctx context.Context, c *client, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, callTime, fmt.Errorf("the server did not answer within %v", callTime))
	defer cancel()
	answer, err := call(ctx, c, f)
	if errors.Is(err, context.DeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return answer, err
}

// open opens a session.
func (c *client) open(ctx context.Context, name, password string, configuration map[string]string) (*hiveserver.TSessionHandle, error) {
	answer, err := soon(ctx, c, func(ctx context.Context) (*hiveserver.TOpenSessionResp, error) {
		return c.stub.OpenSession(ctx, &hiveserver.TOpenSessionReq{
			ClientProtocol: hiveserver.TProtocolVersion_HIVE_CLI_SERVICE_PROTOCOL_V10, // the first that tells progress
			Username:       &name, Password: &password, Configuration: configuration,
		})
	})
	if err != nil {
		return nil, err
	}
	if answer.SessionHandle == nil {
		return nil, &problem{message: "the server opened a session and does not say which"}
	}
	return answer.SessionHandle, nil
}

// execute begins a statement. The server compiles it before it answers, which may take its time.
func (c *client) execute(ctx context.Context, session *hiveserver.TSessionHandle, text string) (*hiveserver.TOperationHandle, error) {
	answer, err := call(ctx, c, func(ctx context.Context) (*hiveserver.TExecuteStatementResp, error) {
		return c.stub.ExecuteStatement(ctx, &hiveserver.TExecuteStatementReq{SessionHandle: session, Statement: text, RunAsync: true})
	})
	if err != nil {
		return nil, err
	}
	if answer.OperationHandle == nil {
		return nil, &problem{message: "the server began the statement and does not say as which operation"}
	}
	return answer.OperationHandle, nil
}

// status asks how an operation stands. The server waits a little for its end.
func (c *client) status(ctx context.Context, o *hiveserver.TOperationHandle) (*hiveserver.TGetOperationStatusResp, error) {
	progress := true
	return soon(ctx, c, func(ctx context.Context) (*hiveserver.TGetOperationStatusResp, error) {
		return c.stub.GetOperationStatus(ctx, &hiveserver.TGetOperationStatusReq{OperationHandle: o, GetProgressUpdate: &progress})
	})
}

// What fetch can read.
const (
	resultRows = 0
	logLines   = 1
)

// fetch reads the next rows, or those from the first on.
func (c *client) fetch(ctx context.Context, o *hiveserver.TOperationHandle, what int16, first bool, most int) (*hiveserver.TRowSet, error) {
	orientation := hiveserver.TFetchOrientation_FETCH_NEXT
	if first {
		orientation = hiveserver.TFetchOrientation_FETCH_FIRST
	}
	bounded := soon[*hiveserver.TFetchResultsResp]
	if what == resultRows {
		bounded = call // a query that needs no job runs here
	}
	answer, err := bounded(ctx, c, func(ctx context.Context) (*hiveserver.TFetchResultsResp, error) {
		return c.stub.FetchResults(ctx, &hiveserver.TFetchResultsReq{OperationHandle: o, Orientation: orientation, MaxRows: int64(most), FetchType: what})
	})
	if err != nil {
		return nil, err
	}
	return answer.Results, nil
}

// columns are the names of the columns of a result.
func (c *client) columns(ctx context.Context, o *hiveserver.TOperationHandle) ([]string, error) {
	answer, err := soon(ctx, c, func(ctx context.Context) (*hiveserver.TGetResultSetMetadataResp, error) {
		return c.stub.GetResultSetMetadata(ctx, &hiveserver.TGetResultSetMetadataReq{OperationHandle: o})
	})
	if err != nil {
		return nil, err
	}
	var names []string
	if answer.Schema != nil {
		for _, column := range answer.Schema.Columns {
			names = append(names, column.ColumnName)
		}
	}
	return names, nil
}

func (c *client) cancel(ctx context.Context, o *hiveserver.TOperationHandle) error {
	_, err := soon(ctx, c, func(ctx context.Context) (*hiveserver.TCancelOperationResp, error) {
		return c.stub.CancelOperation(ctx, &hiveserver.TCancelOperationReq{OperationHandle: o})
	})
	return err
}

func (c *client) closeOperation(ctx context.Context, o *hiveserver.TOperationHandle) error {
	_, err := soon(ctx, c, func(ctx context.Context) (*hiveserver.TCloseOperationResp, error) {
		return c.stub.CloseOperation(ctx, &hiveserver.TCloseOperationReq{OperationHandle: o})
	})
	return err
}

func (c *client) closeSession(ctx context.Context, s *hiveserver.TSessionHandle) error {
	_, err := soon(ctx, c, func(ctx context.Context) (*hiveserver.TCloseSessionResp, error) {
		return c.stub.CloseSession(ctx, &hiveserver.TCloseSessionReq{SessionHandle: s})
	})
	return err
}

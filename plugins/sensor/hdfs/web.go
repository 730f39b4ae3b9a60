package hdfs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"flowctl/plugins/sdk"
)

// longestAnswer is more than any status or exception of a namenode takes.
const longestAnswer = 1 << 20

// web asks over WebHDFS: operation GETFILESTATUS of its REST API, version 1.
func web(ctx context.Context, base, user string, questions []question) {
	var wg sync.WaitGroup
	for _, share := range share(questions) {
		wg.Go(func() {
			for _, q := range share {
				state, err := status(ctx, base, user, q.file)
				if err != nil {
					state.Error = err.Error()
				}
				*q.state = state
			}
		})
	}
	wg.Wait()
}

// answer is one of two things.
type answer struct {
	FileStatus *struct {
		ModificationTime int64  `json:"modificationTime"` // milliseconds
		Length           int64  `json:"length"`
		FileID           uint64 `json:"fileId"`
	}
	RemoteException *struct {
		Exception string `json:"exception"`
		Message   string `json:"message"`
	}
}

func status(ctx context.Context, base, user, file string) (sdk.PathState, error) {
	u, err := url.Parse(base)
	if err != nil {
		return sdk.PathState{}, err
	}
	u.Path = "/webhdfs/v1" + file
	u.RawQuery = url.Values{"op": {"GETFILESTATUS"}, "user.name": {user}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return sdk.PathState{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return sdk.PathState{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	if err != nil {
		return sdk.PathState{}, fmt.Errorf("%s: %w", base, tooLate(ctx, err))
	}
	var a answer
	switch err := json.Unmarshal(body, &a); {
	case err != nil || a.FileStatus == nil && a.RemoteException == nil:
		return sdk.PathState{}, fmt.Errorf("%s does not speak WebHDFS: it answered %s", base, response.Status)
	case a.FileStatus != nil:
		return there(a.FileStatus.ModificationTime, a.FileStatus.Length, a.FileStatus.FileID), nil
	case a.RemoteException.Exception == "FileNotFoundException", strings.Contains(a.RemoteException.Message, "(is not a directory)"):
		return sdk.PathState{}, nil
	}
	message, _, _ := strings.Cut(a.RemoteException.Message, "\n") // a stack trace may follow
	return sdk.PathState{}, fmt.Errorf("%s: %s: %s", base, a.RemoteException.Exception, message)
}

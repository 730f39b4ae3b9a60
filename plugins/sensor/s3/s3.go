// Package s3 is the sensor for objects in Amazon S3 and in what speaks its protocol: s3://BUCKET/KEY, also as s3a:// and s3n://. The key is taken as
// it is written, without percent-decoding. A key that ends in / stands for the object _SUCCESS below it.
//
// The agent's environment says where and as whom, by the names of the AWS tools: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL (Amazon's when absent), AWS_REGION
// or AWS_DEFAULT_REGION, and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; else ~/.aws/credentials with AWS_PROFILE; else the
// role of the machine or of the web identity. AWS_EC2_METADATA_DISABLED=true leaves the last out: then requests are anonymous.
//
// The version is the version id where the bucket keeps versions, with the ETag and the time of the last change.
package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"flowctl/plugins/sdk"
)

// An object has timeout for its answer, with the repetitions of what failed for a moment; parallel are asked about at once.
const (
	timeout  = 30 * time.Second
	retries  = 3
	parallel = 32
)

// Sensor is the s3 sensor.
type Sensor struct {
	client func() (*minio.Client, error) // made at the first check
}

// New returns a sensor that is configured by environment variables.
func New(env func(string) string) *Sensor {
	return &Sensor{client: sync.OnceValues(func() (*minio.Client, error) { return connect(env) })}
}

// Describe implements sdk.Plugin.
func (*Sensor) Describe() sdk.Description {
	return sdk.Description{
		Name: "s3", Version: "1", Kind: sdk.KindSensor, Schema: json.RawMessage(`{"type":"object","additionalProperties":false}`),
	}
}

// Validate implements sdk.Plugin.
func (*Sensor) Validate(with json.RawMessage) []sdk.Problem {
	return sdk.DecodeWith(with, &struct{}{})
}

// connect makes the client; it connects when it is used.
func connect(env func(string) string) (*minio.Client, error) {
	first := func(names ...string) string {
		for _, name := range names {
			if v := env(name); v != "" {
				return v
			}
		}
		return ""
	}
	endpoint := &url.URL{Scheme: "https", Host: "s3.amazonaws.com"}
	if text := first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"); text != "" {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			return nil, errors.New("AWS_ENDPOINT_URL is no URL such as https://s3.example.com:9000")
		}
		endpoint = u
	}
	providers := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if !strings.EqualFold(env("AWS_EC2_METADATA_DISABLED"), "true") {
		providers = append(providers, &credentials.IAM{})
	}
	return minio.New(endpoint.Host, &minio.Options{
		Creds: credentials.NewChainCredentials(providers), Secure: endpoint.Scheme == "https",
		Region: first("AWS_REGION", "AWS_DEFAULT_REGION"), MaxRetries: retries,
	})
}

// Check implements sdk.Sensor.
func (s *Sensor) Check(ctx context.Context, _ string, paths []string) ([]sdk.PathState, error) {
	client, err := s.client()
	if err != nil {
		return nil, err
	}
	return sdk.CheckEach(ctx, paths, parallel, func(ctx context.Context, path string) (sdk.PathState, error) {
		return check(ctx, client, path)
	})
}

func check(ctx context.Context, client *minio.Client, path string) (sdk.PathState, error) {
	_, rest, _ := strings.Cut(path, "://")
	bucket, key, _ := strings.Cut(rest, "/")
	if bucket == "" || key == "" {
		return sdk.PathState{}, fmt.Errorf("%s names no object: write s3://BUCKET/KEY", path)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	info, err := client.StatObject(ctx, bucket, sdk.Answering(key), minio.StatObjectOptions{})
	if err != nil {
		answer := minio.ToErrorResponse(err)
		if answer.StatusCode == http.StatusNotFound && answer.Code != minio.NoSuchBucket {
			return sdk.PathState{}, nil
		}
		return sdk.PathState{}, fmt.Errorf("%s: %w", path, err)
	}
	return sdk.PathState{
		Exists: true, Version: fmt.Sprintf("%s %s %d", info.VersionID, info.ETag, info.LastModified.UnixNano()),
	}, nil
}

package agent

import "testing"

func TestSensorOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"orders/": "file", "/orders": "file", "file:///orders": "file", "hdfs://nn/x": "hdfs", "webhdfs://nn/x": "hdfs", "swebhdfs://nn/x": "hdfs",
		"s3://b/x": "s3", "s3a://b/x": "s3", "s3n://b/x": "s3", "http://h/x": "http", "https://h/x": "http", "tcp://h:1": "http", "ftp://h/x": "ftp",
	} {
		if got := sensorOf(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

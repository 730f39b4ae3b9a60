package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/colinmarc/hdfs/v2"
	"github.com/colinmarc/hdfs/v2/hadoopconf"
)

const defaultPort = "8020"

// native asks over Hadoop's RPC, whose connections carry one call at a time.
func (s Sensor) native(ctx context.Context, host, user string, questions []question) error {
	addresses, err := s.namenodes(host)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, share := range share(questions) {
		wg.Go(func() { nativeShare(ctx, addresses, user, share) })
	}
	wg.Wait()
	return nil
}

// nativeShare answers over a connection of its own. The client knows no contexts: the end of ctx closes what it reads from.
func nativeShare(ctx context.Context, addresses []string, user string, questions []question) {
	dial := func(_ context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
	client, err := hdfs.NewClient(hdfs.ClientOptions{Addresses: addresses, User: user, NamenodeDialFunc: dial})
	if err != nil {
		for _, q := range questions {
			q.state.Error = explain(ctx, addresses, err)
		}
		return
	}
	defer func() { _ = client.Close() }()
	for _, q := range questions {
		info, err := client.Stat(q.file)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission) && belowFile(client, q.file):
		case err != nil:
			q.state.Error = explain(ctx, addresses, err)
		default:
			status := info.Sys().(*hdfs.FileStatus)
			*q.state = there(int64(status.GetModificationTime()), int64(status.GetLength()), status.GetFileId())
		}
	}
}

// belowFile tells that a file is looked for below another one, which a namenode refuses as if it were forbidden.
func belowFile(client *hdfs.Client, file string) bool {
	parent, err := client.Stat(path.Dir(file))
	return err == nil && !parent.IsDir()
}

func explain(ctx context.Context, addresses []string, err error) string {
	return fmt.Sprintf("namenode %s: %v", strings.Join(addresses, ", "), tooLate(ctx, err))
}

// namenodes returns the addresses of the RPC servers that a path's host stands for.
func (s Sensor) namenodes(host string) ([]string, error) {
	conf := hadoopconf.HadoopConf{}
	if dir := s.env("HADOOP_CONF_DIR"); dir != "" {
		var err error
		if conf, err = hadoopconf.Load(dir); err != nil {
			return nil, fmt.Errorf("HADOOP_CONF_DIR: %w", err)
		}
	}
	if host == "" {
		u, err := url.Parse(conf["fs.defaultFS"])
		if err != nil || u.Host == "" {
			return nil, errors.New("hdfs:/// wants fs.defaultFS in the core-site.xml of HADOOP_CONF_DIR: set it, or name the namenode")
		}
		host = u.Host
	}
	if strings.EqualFold(conf["hadoop.security.authentication"], "kerberos") {
		return nil, fmt.Errorf("the cluster of %s wants Kerberos, which the hdfs sensor does not speak: ask a gateway through swebhdfs://", host)
	}
	service := ""
	for name := range strings.SplitSeq(conf["dfs.nameservices"], ",") {
		if strings.TrimSpace(name) == host {
			service = host
		}
	}
	if service == "" {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(host, defaultPort)
		}
		return []string{host}, nil
	}
	var addresses []string
	for node := range strings.SplitSeq(conf["dfs.ha.namenodes."+service], ",") {
		key := strings.TrimSuffix("dfs.namenode.rpc-address."+service+"."+strings.TrimSpace(node), ".")
		if address := conf[key]; address != "" {
			addresses = append(addresses, address)
		}
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("%s has no dfs.namenode.rpc-address for the name service %s", path.Join(s.env("HADOOP_CONF_DIR"), "hdfs-site.xml"), service)
	}
	return addresses, nil
}

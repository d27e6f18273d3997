package devcluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	nameNodeHTTP = "namenode http"
	dataNodeIPC  = "datanode ipc"
)

func (c *Cluster) hdfsConfigs() error {
	// The web servers look for these on the class path; empty ones do.
	for _, d := range []string{"hdfs", "datanode"} {
		if err := os.MkdirAll(c.conf(filepath.Join("hbase", "webapps", d)), 0o755); err != nil {
			return err
		}
	}
	for _, d := range []string{NameNode, DataNode} {
		if err := os.MkdirAll(c.data(d), 0o700); err != nil { // a DataNode refuses other modes
			return err
		}
	}
	p := c.state.Ports
	err := c.writeConfig("core-site.xml", "hbase/core-site.xml", map[string]any{"NameNodePort": p[NameNode], "Temp": c.data("tmp")})
	if err != nil {
		return err
	}
	return c.writeConfig("hdfs-site.xml", "hbase/hdfs-site.xml", map[string]any{
		"NameData": c.data(NameNode), "BlockData": c.data(DataNode), "NameNodeHTTPPort": p[nameNodeHTTP],
		"DataNodePort": p[DataNode], "DataNodeIPCPort": p[dataNodeIPC],
	})
}

func (c *Cluster) nameNodeJava() []string {
	return append(c.hadoopJava(hdfsHeap, true), "org.apache.hadoop.hdfs.server.namenode.NameNode")
}

// formatNameNode makes the file system, once.
func (c *Cluster) formatNameNode(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(c.data(NameNode), "current", "VERSION")); err == nil {
		return nil
	}
	args := append(c.nameNodeJava(), "-format", "-nonInteractive", "-clusterId", "speedlayer-devcluster")
	if out, err := exec.CommandContext(ctx, c.java, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("namenode: its data folder could not be made: %w: %s", err, LastLines(out, 10))
	}
	return nil
}

func (c *Cluster) nameNodeProcess() *process { return c.newProcess(NameNode, c.nameNodeJava()) }

func (c *Cluster) dataNodeProcess() *process {
	return c.newProcess(DataNode, append(c.hadoopJava(hdfsHeap, true), "org.apache.hadoop.hdfs.server.datanode.DataNode"))
}

// hdfsReady waits until the NameNode has left its safe mode and has a DataNode.
func (c *Cluster) hdfsReady(ctx context.Context) error {
	return until(ctx, readyPoll, func() error {
		if err := c.allRun(NameNode, DataNode); err != nil {
			return err
		}
		for _, want := range []struct{ bean, attribute, value string }{
			{"NameNodeInfo", "Safemode", ""},
			{"FSNamesystemState", "NumLiveDataNodes", "1"},
		} {
			is, err := c.jmx(ctx, want.bean, want.attribute)
			if err != nil {
				return fmt.Errorf("hdfs is not ready: %w", err)
			}
			if is != want.value {
				return fmt.Errorf("hdfs is not ready: %s is %q", want.attribute, is)
			}
		}
		return nil
	})
}

// jmx reads one attribute of a bean of the NameNode.
func (c *Cluster) jmx(ctx context.Context, bean, attribute string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readyCall)
	defer cancel()
	url := fmt.Sprintf("http://%s/jmx?get=Hadoop:service=NameNode,name=%s::%s", c.state.Ports.address(nameNodeHTTP), bean, attribute)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ Beans []map[string]any }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if len(answer.Beans) != 1 || answer.Beans[0][attribute] == nil {
		return "", fmt.Errorf("no bean %s with %s yet", bean, attribute)
	}
	return strings.TrimSpace(fmt.Sprint(answer.Beans[0][attribute])), nil
}

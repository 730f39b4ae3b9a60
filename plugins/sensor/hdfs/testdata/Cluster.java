import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.MiniDFSNNTopology;

/** HDFS with two namenodes for tests. It prints its addresses, then does what the lines of its input say, until that ends. */
public class Cluster {
  public static void main(String[] args) throws Exception {
    Configuration conf = new Configuration();
    conf.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, args[0]);
    conf.set("dfs.ha.standby.checkpoints", "false");
    MiniDFSCluster cluster = new MiniDFSCluster.Builder(conf)
        .nnTopology(MiniDFSNNTopology.simpleHATopology()).numDataNodes(1).build();
    cluster.waitActive();
    int active = 0;
    cluster.transitionToActive(active);
    System.out.println(cluster.getNameNode(0).getNameNodeAddressHostPortString() + " "
        + cluster.getNameNode(1).getNameNodeAddressHostPortString() + " "
        + cluster.getNameNode(0).getHttpAddress().getPort());
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = in.readLine()) != null;) {
      String[] words = line.split(" ", 2);
      FileSystem fs = cluster.getFileSystem(active);
      switch (words[0]) {
        case "create": fs.create(new Path(words[1]), true).close(); break;
        case "deny": fs.setPermission(new Path(words[1]), new org.apache.hadoop.fs.permission.FsPermission("700")); break;
        case "active":
          cluster.transitionToStandby(active);
          active = Integer.parseInt(words[1]);
          cluster.transitionToActive(active);
          break;
        default: throw new IllegalArgumentException(line);
      }
      System.out.println("done");
    }
    cluster.shutdown();
  }
}

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.EnumSet;
import java.util.StringJoiner;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.yarn.api.records.YarnApplicationState;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.server.MiniYARNCluster;
import org.apache.hadoop.yarn.server.api.ApplicationInitializationContext;
import org.apache.hadoop.yarn.server.api.ApplicationTerminationContext;
import org.apache.hadoop.yarn.server.api.AuxiliaryService;

/**
 * YARN's resource manager and a node manager for tests. It prints where they are. Then it answers each line of its input with the applications that
 * are not over, and ends with it.
 */
public class Yarn {
  private static final EnumSet<YarnApplicationState> OVER =
      EnumSet.of(YarnApplicationState.FINISHED, YarnApplicationState.FAILED, YarnApplicationState.KILLED);

  /** What Tez wants to be there, and what a job without reducers does not use. */
  public static class NoShuffle extends AuxiliaryService {
    public NoShuffle() { super("mapreduce_shuffle"); }
    @Override public void initializeApplication(ApplicationInitializationContext context) {}
    @Override public void stopApplication(ApplicationTerminationContext context) {}
    @Override public ByteBuffer getMetaData() { return ByteBuffer.allocate(4); }
  }

  public static void main(String[] args) throws Exception {
    Thread.currentThread().setContextClassLoader(Yarn.class.getClassLoader());
    Configuration conf = new YarnConfiguration();
    conf.setClassLoader(Yarn.class.getClassLoader());
    conf.set("fs.defaultFS", "file:///");
    conf.set("yarn.nodemanager.aux-services", "mapreduce_shuffle");
    conf.setClass("yarn.nodemanager.aux-services.mapreduce_shuffle.class", NoShuffle.class, AuxiliaryService.class);
    conf.set("yarn.resourcemanager.scheduler.class", "org.apache.hadoop.yarn.server.resourcemanager.scheduler.fifo.FifoScheduler");
    conf.setInt("yarn.scheduler.minimum-allocation-mb", 128);
    conf.setBoolean("yarn.nodemanager.vmem-check-enabled", false);
    conf.setBoolean("yarn.nodemanager.pmem-check-enabled", false);
    conf.set("yarn.nodemanager.env-whitelist", "JAVA_HOME,JDK_JAVA_OPTIONS");
    conf.set("yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage", "99.9");
    MiniYARNCluster cluster = new MiniYARNCluster("yarn", 1, 1, 1);
    cluster.init(conf);
    cluster.start();
    if (!cluster.waitForNodeManagersToConnect(60000)) throw new IllegalStateException("no node manager");
    Configuration found = cluster.getConfig();
    System.out.println(found.get("yarn.resourcemanager.address") + " " + found.get("yarn.resourcemanager.scheduler.address"));
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    while (in.readLine() != null) {
      System.out.println(running(cluster));
    }
    if (!running(cluster).isEmpty()) cluster.stop(); // it ends their processes
    Runtime.getRuntime().halt(0); // an orderly end takes a quarter of a minute
  }

  private static String running(MiniYARNCluster cluster) {
    StringJoiner running = new StringJoiner(" ");
    cluster.getResourceManager().getRMContext().getRMApps().forEach((id, app) -> {
      if (!OVER.contains(app.createApplicationState())) running.add(id.toString());
    });
    return running.toString();
  }
}

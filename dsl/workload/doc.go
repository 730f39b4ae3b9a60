// Package workload turns recorded facts about real data platforms into flows repositories, so that tests and benchmarks
// run on shapes that nobody invented.
//
// There are two sources, both JSON files in the folder that the environment variable FLOWCTL_WORKLOADS names:
//
//   - bqetl.json: the scheduling facts of a data warehouse that is run from a git repository. [BQETL] makes one flow of
//     each of its DAGs. Its needs hold two real knots.
//   - wfinstances.json: scientific workflows as they were executed, with the run time of every task. [Executions] reads
//     them and [Execution.Repository] makes a repository of one flow.
//
// A repository is a map from path to content; [Write] puts one into a folder. The same facts always give the same bytes.
// The facts themselves are not part of this repository; [Folder] says where they are, and tests skip without them.
package workload

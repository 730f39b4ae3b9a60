// Package file is the sensor for paths of the local file system: plain ones, absolute or relative, and file:// URLs.
//
// A path that ends in / is a data set in a folder: it exists when the file _SUCCESS is in it. Any other path exists when something has that
// name, symbolic links followed.
//
// The version of a path is made of the time of the last change, the size and the inode of what answers for it.
package file

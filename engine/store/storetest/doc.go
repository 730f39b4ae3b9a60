// Package storetest says what a store must do: Run is the conformance suite of engine.Store, which every store passes, and Faulty
// is a store that fails as real ones do, for the tests of those who use one.
//
// The suite looks at a store only through the interface. A store under test is opened in a folder; to open the same folder
// again after Close must give the same state.
package storetest

// Package python is the runner that executes Python code.
//
//	run:  the text is written to script.py in the attempt's work folder and executed from there, so its length has no limit
//	      and tracebacks show its lines; modules beside the flow's file can be imported
//	file: the interpreter runs it
//	args: sys.argv[1:]; a named one becomes two of them, --name and its value
//	with: {python: python3.12}, the interpreter: a name on the task's PATH or an absolute path
//	      {venv: /opt/etl}, a virtual environment on the agent: its interpreter, and its commands first on PATH
//	      {requirements: requirements.txt}, a file of pip's beside the flow's: a virtual environment that has what it names is made
//	      by the first attempt, as part of it (its log, its timeout), and kept for others in ~/.cache/flowctl/python
//
// Output is not buffered (PYTHONUNBUFFERED=1), so that the log shows it as it happens. In templates, quote(x) is a Python string literal.
package python

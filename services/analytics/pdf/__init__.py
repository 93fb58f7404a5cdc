"""Reports as PDF files, typeset by ReportLab in a process of their own (`__main__.py`)."""

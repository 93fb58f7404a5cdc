"""`python -m services.analytics.pdf`: a report as JSON from standard input to a PDF file on standard output."""

import os
import sys

from libs.contracts.codec import decode
from services.analytics.pdf.document import typeset
from services.analytics.pdf.report import Report

if __name__ == "__main__":
    os.nice(10)  # trades go first
    sys.stdout.buffer.write(typeset(decode(sys.stdin.buffer.read(), Report)))

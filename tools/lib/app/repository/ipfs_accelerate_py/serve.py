"""The HTTP service."""

import os

from .web import listen

if __name__ == "__main__":
    listen(int(os.environ["IPFS_ACCELERATE_PORT"])).serve_forever()

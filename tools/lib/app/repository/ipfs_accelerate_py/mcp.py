"""The HTTPS service, with the certificate that its unit made before."""

import os
import ssl

from .web import listen

if __name__ == "__main__":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("state/certificate.pem", "state/key.pem")
    server = listen(int(os.environ["IPFS_ACCELERATE_MCP_PORT"]))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()

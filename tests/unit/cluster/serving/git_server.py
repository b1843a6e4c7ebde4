"""A git repository with one model, by HTTPS: run by the serving project's interpreter as `git_server.py FOLDER`.

The folder has the certificate and its key. Prints the repository's URL once it is served.
"""
# mypy: ignore-errors

import ssl
import sys
from pathlib import Path
from wsgiref.simple_server import make_server

from dulwich import porcelain
from dulwich.server import DictBackend
from dulwich.web import WSGIRequestHandlerLogger, WSGIServerLogger, make_wsgi_chain

folder = Path(sys.argv[1])
source = folder / "source"
repository = porcelain.init(source)
(source / "model.joblib").write_bytes(b"model")
porcelain.add(repository, [source / "model.joblib"])
who = b"Tests <tests@example.com>"
porcelain.commit(repository, message=b"Add the model", author=who, committer=who)
application = make_wsgi_chain(DictBackend({"/flowers.git": repository}))
with make_server(
    "127.0.0.1", 0, application, handler_class=WSGIRequestHandlerLogger, server_class=WSGIServerLogger
) as server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(f"https://127.0.0.1:{server.server_port}/flowers.git", flush=True)
    server.serve_forever()

"""GEXF 1.3 (https://gexf.net), in which Gephi and other programs read a network."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from queries.network import Network

MEDIA_TYPE = "application/gexf+xml"
NAMESPACE = "http://gexf.net/1.3"
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that XML 1.0 forbids, however they are written."""


def gexf(network: Network) -> bytes:
    """Return a network whose nodes have the attribute `tweets`, without the characters that XML forbids."""
    root = Element("gexf", xmlns=NAMESPACE, version="1.3")
    graph = SubElement(root, "graph", mode="static", defaultedgetype="undirected")
    attributes = SubElement(graph, "attributes", {"class": "node"})
    SubElement(attributes, "attribute", id="tweets", title="Tweets", type="long")
    nodes, edges = SubElement(graph, "nodes"), SubElement(graph, "edges")
    for node in network.nodes:
        _add(SubElement(nodes, "node", id=allowed(node.id), label=allowed(node.id)), node.tweets)
    for at, (source, target, weight) in enumerate(network.edges):
        SubElement(edges, "edge", id=str(at), source=allowed(source), target=allowed(target), weight=str(weight))
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _add(node: Any, tweets: int) -> None:
    values = SubElement(node, "attvalues")
    SubElement(values, "attvalue", {"for": "tweets", "value": str(tweets)})


def allowed(text: str) -> str:
    """Return a text without the characters that XML forbids."""
    return FORBIDDEN.sub("", text)

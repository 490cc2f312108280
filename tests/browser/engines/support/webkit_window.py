"""A window of WebKitGTK that WebDriver drives: in a profile of its folder, or in a private one.

    webkit_window.py normal|private FOLDER

MiniBrowser, which WebKitGTK brings along, is private whenever it is driven. What pages report goes to the standard
output.
"""

import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gtk, WebKit2

mode, folder = sys.argv[1:3]
if mode == "private":
    data = WebKit2.WebsiteDataManager.new_ephemeral()
else:
    data = WebKit2.WebsiteDataManager(base_data_directory=folder, base_cache_directory=folder)
context = WebKit2.WebContext(website_data_manager=data)
context.set_automation_allowed(True)


def new_page(_session):
    window = Gtk.Window(default_width=1200, default_height=900)
    page = WebKit2.WebView(web_context=context, is_controlled_by_automation=True)
    page.get_settings().set_enable_write_console_messages_to_stdout(True)
    page.connect("close", lambda _page: window.destroy())
    window.add(page)
    window.show_all()
    return page


def start(_context, session):
    about = WebKit2.ApplicationInfo()
    about.set_name("avse-tests")
    about.set_version(WebKit2.get_major_version(), WebKit2.get_minor_version(), WebKit2.get_micro_version())
    session.set_application_info(about)
    session.connect("create-web-view", new_page)


context.connect("automation-started", start)
Gtk.main()

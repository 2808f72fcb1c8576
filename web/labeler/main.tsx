import { render } from 'preact';
import '../kit/base.css';
import './page.css';
import { startTheme } from '../kit/theme.js';
import { App } from './app.js';
import { connect } from './connection.js';
import { Desk } from './desk.js';
import { startKeys } from './dialogs.js';
import { listenToKeys } from './listen.js';

startTheme();
startKeys();

// One element for the whole life of the page: what is loaded in it outlives what is drawn around it.
const video = document.createElement('video');
video.className = 'video';
video.playsInline = true;
video.setAttribute('aria-label', 'The recording');
const desk = new Desk(video);
const Video = () => <div class="video-place" ref={(place) => place?.append(video)} />;

const root = document.getElementById('page');
if (root) render(<App desk={desk} video={<Video />} />, root);
listenToKeys(desk);
void connect();
